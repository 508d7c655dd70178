/** The HTTP server below a listener: TLS when configured, and limits on how long a client may take to say what it wants. */
import { CordonError } from '@cordon/policy/errors.ts';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import tls from 'node:tls';
import type { Config } from './config.ts';

/** Milliseconds for the whole head, and for head and body. */
const HEADERS_MS = 15_000;
const REQUEST_MS = 30_000;

const read = (file: string, variable: string): Buffer => {
  try {
    return fs.readFileSync(file);
  } catch (cause) {
    throw new CordonError('config.tls', `${variable} names ${file}, which cannot be read: ${(cause as Error).message}`, {
      place: variable,
      cause,
    });
  }
};

/** @throws CordonError config.tls when the files cannot be read or do not belong together */
export const readTls = (files: NonNullable<Config['tls']>): tls.SecureContextOptions => {
  const pair = { cert: read(files.cert, 'CORDON_TLS_CERT'), key: read(files.key, 'CORDON_TLS_KEY'), minVersion: 'TLSv1.2' as const };
  try {
    tls.createSecureContext(pair);
  } catch (cause) {
    throw new CordonError(
      'config.tls',
      `${files.cert} and ${files.key} are not a certificate and its private key in PEM: ${(cause as Error).message}`,
      { place: 'CORDON_TLS_CERT', cause },
    );
  }
  return pair;
};

/** @throws CordonError config.tls */
export const createServer = (files: Config['tls'], handler: http.RequestListener): http.Server | https.Server => {
  const limits = { headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS };
  return files === undefined ? http.createServer(limits, handler) : https.createServer({ ...limits, ...readTls(files) }, handler);
};
