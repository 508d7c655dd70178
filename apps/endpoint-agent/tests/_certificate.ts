/** A certificate for one name that is its own authority, made by openssl. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

export const certificateFor = (name: string): Certificate => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-cert-'));
  const at = (file: string): string => path.join(folder, file);
  try {
    const how = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`];
    const files = ['-keyout', at('key'), '-out', at('cert'), '-addext', `subjectAltName=DNS:${name}`];
    execFileSync('openssl', ['req', ...how, ...files], { stdio: ['ignore', 'ignore', 'pipe'] });
    return { key: fs.readFileSync(at('key'), 'utf8'), cert: fs.readFileSync(at('cert'), 'utf8') };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
};
