/** What a request asks for, by one strict grammar: rule, dial and log see the same host and port (RFC 9112 §3.2). */
import { canonicalHost } from '@cordon/policy/match/host.ts';
import { CordonError } from '@cordon/policy/errors.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** @param url of a service. @throws CordonError `host.invalid` */
export const endPointOf = (url: string): Target => {
  const { hostname, port, protocol } = new URL(url);
  return { host: canonicalHost(hostname), port: port === '' ? (/^(?:http|ws):$/.test(protocol) ? 80 : 443) : Number(port) };
};

const refuse = (message: string): never => {
  throw new CordonError('egress.request', message);
};

const port = (text: string): number => {
  const value = Number(text);
  return /^[1-9]\d{0,4}$/.test(text) && value <= 65_535 ? value : refuse('the port is not between 1 and 65535');
};

/** CONNECT: `host:port`, nothing else. @throws CordonError `egress.request`, `host.invalid` */
export const connectTarget = (authority: string): Target => {
  const match = /^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):(\d{1,5})$/.exec(authority);
  if (match === null) return refuse('CONNECT takes host:port');
  return { host: canonicalHost(match[1] ?? ''), port: port(match[2] ?? '') };
};

/** Absolute form: `http://host[:port]/path`, without user information or fragment. @throws CordonError `egress.request`, `host.invalid` */
export const absoluteTarget = (text: string): Target & { readonly path: string; readonly authority: string } => {
  const match = /^http:\/\/(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::(\d{1,5}))?(\/[\u0021-\u007e]*|\?[\u0021-\u007e]*)?$/.exec(
    text,
  );
  if (match === null || text.includes('#')) return refuse('a request to a proxy names http://host[:port]/path; use CONNECT for https');
  const [, host = '', portText, rest = '/'] = match;
  const target = { host: canonicalHost(host), port: portText === undefined ? 80 : port(portText) };
  return { ...target, path: rest.startsWith('/') ? rest : `/${rest}`, authority: portText === undefined ? host : `${host}:${portText}` };
};
