/** The company's certificate authorities inside the sandbox: certificates alone, in a folder that only Cordon writes to, and the variables by which programs find them. */
import fs from 'node:fs';
import path from 'node:path';
import tls from 'node:tls';

export interface Authorities {
  /** Mounted read-only at the same place. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Where distributions keep the authorities of the system, in one file. */
const SYSTEM = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/ca-bundle.pem', '/etc/ssl/cert.pem'];

const systemBundle = (): string => {
  const file = SYSTEM.find((place) => fs.existsSync(place));
  return file === undefined ? tls.getCACertificates('bundled').join('\n') : fs.readFileSync(file, 'utf8');
};

/** Programs that take one file instead of what they bring or find in the system. */
const INSTEAD = [
  'SSL_CERT_FILE',
  'CURL_CA_BUNDLE',
  'REQUESTS_CA_BUNDLE',
  'PIP_CERT',
  'GIT_SSL_CAINFO',
  'CARGO_HTTP_CAINFO',
  'AWS_CA_BUNDLE',
  'DENO_CERT',
];

/** @param certificates of authorities, in PEM: no key is ever among them */
export const installAuthorities = (folder: string, certificates: readonly string[]): Authorities => {
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true, mode: 0o755 });
  fs.chmodSync(folder, 0o755);
  const write = (name: string, text: string): string => {
    const place = path.join(folder, name);
    fs.writeFileSync(place, text);
    fs.chmodSync(place, 0o644);
    return place;
  };
  const own = certificates.map((pem) => `${pem.trim()}\n`).join('');
  const company = write('company.pem', own);
  const all = write('all.pem', `${systemBundle().trimEnd()}\n${own}`);
  return { folder, environment: { NODE_EXTRA_CA_CERTS: company, ...Object.fromEntries(INSTEAD.map((name) => [name, all])) } };
};
