/** How this device reaches its control plane: straight or through the company's proxy, with the authorities that it trusts. Runs have their own way out, and nothing of this. */
import fs from 'node:fs';
import type http from 'node:http';
import https from 'node:https';
import tls from 'node:tls';
import { CordonError } from '@cordon/policy/errors.ts';
import { ownedFile } from '../owned-file.ts';
import { certificatesIn } from './certificates.ts';
import { request, type Answer, type Asked } from './request.ts';

export interface NetworkSettings {
  readonly caFile: string | undefined;
  /** `http://proxy.example:3128`, without a password in it. */
  readonly proxy: string | undefined;
  /** Hosts that are reached straight, as NO_PROXY lists them. */
  readonly straight: string | undefined;
  /** `name:password`, one line. */
  readonly proxyAuthFile: string | undefined;
}

export interface Network {
  /** For node:http, node:https and ws; undefined: no proxy and no authorities of its own. */
  agentFor(url: URL): http.Agent | undefined;
  request(url: URL, asked: Asked): Promise<Answer>;
  /** Where it goes through, as a person may read it. */
  readonly through: string | undefined;
}

/** Straight, with the authorities that Node brings. */
export const STRAIGHT: Network = { agentFor: () => undefined, request: (url, asked) => request(undefined, url, asked), through: undefined };

const CREDENTIALS = /^[^:\r\n]{1,256}:[^\r\n]{1,1024}$/;

/** @throws CordonError `network.proxy`, `file.*` */
const proxyUrl = (text: string, authFile: string | undefined): URL => {
  const proxy = URL.parse(text);
  if (proxy === null || !/^https?:$/.test(proxy.protocol))
    throw new CordonError('network.proxy', 'HTTPS_PROXY is not a URL such as http://proxy.example:3128', { place: 'HTTPS_PROXY' });
  if (proxy.username !== '' || proxy.password !== '')
    throw new CordonError(
      'network.proxy',
      'HTTPS_PROXY holds a password, where every program that this environment is given to could read it: write name:password into a file of mode 0600 and name that in CORDON_PROXY_AUTH_FILE',
      { place: 'HTTPS_PROXY' },
    );
  if (authFile === undefined) return proxy;
  const demands = { maxBytes: 2048, secret: true, because: 'it holds a password' };
  const credentials = ownedFile(authFile, demands, (fd) => fs.readFileSync(fd, 'utf8').trim());
  if (!CREDENTIALS.test(credentials))
    throw new CordonError('network.proxy', `${authFile} must hold name:password on one line`, { place: authFile });
  const colon = credentials.indexOf(':');
  proxy.username = encodeURIComponent(credentials.slice(0, colon));
  proxy.password = encodeURIComponent(credentials.slice(colon + 1));
  return proxy;
};

/** Reads what the settings name. @throws CordonError `network.*`, `file.*` */
export const openNetwork = ({ caFile, proxy, straight, proxyAuthFile }: NetworkSettings): Network => {
  if (caFile === undefined && proxy === undefined) return STRAIGHT;
  const url = proxy === undefined ? undefined : proxyUrl(proxy, proxyAuthFile);
  const own = caFile === undefined ? undefined : certificatesIn(caFile);
  // Parsed once for all connections.
  const secureContext = own === undefined ? undefined : tls.createSecureContext({ ca: [...tls.getCACertificates('default'), ...own] });
  const proxyEnv = url === undefined ? undefined : { HTTPS_PROXY: url.href, ...(straight !== undefined && { NO_PROXY: straight }) };
  const agent = new https.Agent({
    keepAlive: false,
    ...(secureContext !== undefined && { secureContext }),
    ...(proxyEnv !== undefined && { proxyEnv }),
  });
  // Plain HTTP is spoken to this machine itself, and to nothing beyond it.
  const agentFor = ({ protocol }: URL): http.Agent | undefined => (protocol === 'https:' || protocol === 'wss:' ? agent : undefined);
  return {
    agentFor,
    request: (place, asked) => request(agentFor(place), place, asked),
    through: url === undefined ? undefined : `${url.protocol}//${url.host}`,
  };
};
