/** Where the server is and who asks: options of every command that speaks to it. A token is in a file, never in argv. */
import { CordonError } from '@cordon/policy/errors.ts';
import { readDefaults, type Defaults } from '../config.ts';
import { readSecret, readText } from '../files.ts';

export interface Connection {
  readonly server: URL;
  readonly token: string;
  /** PEM; undefined: the system's. */
  readonly ca: string | undefined;
}

/** For `parseArgs`. */
export const CONNECTION_OPTIONS = {
  server: { type: 'string' },
  'token-file': { type: 'string' },
  ca: { type: 'string' },
} as const;

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost']);

const serverFrom = (text: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new CordonError('server.url', `${JSON.stringify(text)} is not a URL such as https://cordon.example:7400`);
  if (url.protocol === 'http:' && !LOOPBACK.has(url.hostname))
    throw new CordonError('server.plaintext', `the token would travel to ${url.hostname} without TLS: use https`);
  return url;
};

/** @throws CordonError `cli.usage`, `server.url`, `server.plaintext`, `files.*` */
export const connectionFrom = (
  options: { readonly server?: string | undefined; readonly 'token-file'?: string | undefined; readonly ca?: string | undefined },
  defaults: Defaults = readDefaults(),
): Connection => {
  const [server, tokenFile, ca] = [
    options.server ?? defaults.server,
    options['token-file'] ?? defaults.tokenFile,
    options.ca ?? defaults.ca,
  ];
  if (server === undefined || tokenFile === undefined)
    throw new CordonError(
      'cli.usage',
      'name the server and the file with your API token: --server URL --token-file FILE, or CORDON_SERVER and CORDON_TOKEN_FILE',
    );
  const token = readSecret(tokenFile).toString('utf8').trim();
  if (!/^[A-Za-z0-9_-]{1,256}$/.test(token))
    throw new CordonError('cli.usage', `${tokenFile} does not hold an API token and nothing else`, { place: tokenFile });
  return { server: serverFrom(server), token, ca: ca === undefined ? undefined : readText(ca) };
};
