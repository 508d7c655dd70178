/** The company's proxy: where it is, and how a tunnel through it is asked for (RFC 9110 §9.3.6). */
import fs from 'node:fs';
import type net from 'node:net';
import { CordonError } from '@cordon/policy/errors.ts';
import { ownedFile } from '../owned-file.ts';
import { LIMITS } from './limits.ts';
import type { Target } from './target.ts';

export interface Upstream {
  readonly host: string;
  readonly port: number;
  /** The value of Proxy-Authorization. */
  readonly authorization?: string;
}

const CREDENTIALS = /^[^:\r\n]{1,256}:[^\r\n]{1,1024}$/;

const authorizationIn = (file: string): string => {
  const credentials = ownedFile(file, { maxBytes: 2048, secret: true, because: 'it holds a password' }, (fd) =>
    fs.readFileSync(fd, 'utf8').trim(),
  );
  if (!CREDENTIALS.test(credentials)) throw new CordonError('config.proxy', `${file} must hold name:password on one line`, { place: file });
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
};

/**
 * @param text `http://host:port`
 * @param authFile holds `name:password`
 * @throws CordonError `config.proxy`, `file.*`
 */
export const readUpstream = (text: string | undefined, authFile: string | undefined): Upstream | undefined => {
  if (text === undefined || text === '') return undefined;
  const url = URL.parse(text);
  const isPlain = url?.pathname === '/' && `${url.username}${url.password}${url.search}${url.hash}` === '';
  if (url?.protocol !== 'http:' || url.hostname === '' || !isPlain)
    throw new CordonError('config.proxy', 'CORDON_EGRESS_PROXY must be http://host:port; a password goes into CORDON_PROXY_AUTH_FILE', {
      place: 'CORDON_EGRESS_PROXY',
    });
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port === '' ? 80 : url.port),
    ...(authFile !== undefined && { authorization: authorizationIn(authFile) }),
  };
};

const fail = (why: string): CordonError => new CordonError('egress.upstream-proxy', `the company's proxy ${why}`, { retryable: true });

/** Asks for a tunnel on a connection that is made. What it says after its answer stays in the socket. @throws CordonError `egress.upstream-proxy` */
export const askUpstream = async (socket: net.Socket, { host, port }: Target, { authorization }: Upstream): Promise<void> => {
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  socket.write(
    `CONNECT ${place} HTTP/1.1\r\nHost: ${place}\r\n${authorization === undefined ? '' : `Proxy-Authorization: ${authorization}\r\n`}\r\n`,
  );
  const answer = await new Promise<Buffer>((resolve, reject) => {
    let seen = Buffer.alloc(0);
    const late = setTimeout(() => done(fail('did not answer in time')), LIMITS.dialMs);
    const done = (error?: Error): void => {
      clearTimeout(late);
      socket.off('readable', more).off('end', ended).off('error', done).off('close', ended);
      if (error === undefined) resolve(seen);
      else reject(error);
    };
    const ended = (): void => done(fail('ended the connection'));
    const more = (): void => {
      for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null)
        seen = Buffer.concat([seen, chunk]);
      if (seen.includes('\r\n\r\n')) done();
      else if (seen.length > LIMITS.headerBytes) done(fail('answered with too much'));
    };
    socket.on('readable', more).on('end', ended).on('error', done).on('close', ended);
    more();
  });
  const end = answer.indexOf('\r\n\r\n') + 4;
  const status = /^HTTP\/1\.[01] (\d{3})[ \r]/.exec(answer.toString('latin1', 0, end))?.[1];
  if (status !== '200') throw fail(status === undefined ? 'does not speak HTTP' : `answered ${status} for ${place}`);
  if (answer.length > end) socket.unshift(answer.subarray(end));
};
