/** The way to the control plane: its name, its certificate, its answer, and whether both have the same time. */
import { checkServer } from '../identity/device-api.ts';
import type { Network } from '../network/network.ts';
import { failed, ok, said, unknown, warning, type Check } from './check.ts';

const TIMEOUT_MS = 10_000;
/** A checkpoint from further in the future is refused. */
const MOST_SKEW_MS = 60_000;

export interface ServerOptions {
  /** Undefined where nobody has said yet which one it is. */
  readonly server: string | undefined;
  readonly network: () => Network;
  readonly now: () => Date;
  readonly timeoutMs?: number;
}

const COMPANY =
  'if a proxy of your company opens TLS, name its authority in CORDON_CA_FILE; if not, somebody stands between this device and the control plane';

/** What Node calls it, what it means, what to do. */
const KNOWN: Readonly<Record<string, readonly [detail: string, mend: string]>> = {
  ENOTFOUND: ['its name has no address', 'look at the name, and at the name servers of this machine'],
  EAI_AGAIN: ['no name server answers', 'look at the network and the name servers of this machine'],
  ECONNREFUSED: ['nobody listens there', 'look at the port, and whether the control plane runs'],
  ETIMEDOUT: ['it does not answer', 'look at firewalls between this machine and it; a company may demand a proxy, named in HTTPS_PROXY'],
  EHOSTUNREACH: ['there is no way to it', 'look at the network of this machine'],
  ENETUNREACH: ['there is no way to it', 'look at the network of this machine'],
  ECONNRESET: ['the connection was cut', 'look at firewalls and proxies between this machine and it'],
  CERT_HAS_EXPIRED: ['its certificate has expired', 'renew it on the control plane; if it is not expired, set the clock of this machine'],
  CERT_NOT_YET_VALID: ['its certificate is not valid yet', 'set the clock of this machine'],
  DEPTH_ZERO_SELF_SIGNED_CERT: [
    'it signed its certificate itself',
    'give it one of an authority that this machine trusts, or name its authority in CORDON_CA_FILE',
  ],
  SELF_SIGNED_CERT_IN_CHAIN: ['its certificate is of an authority that this machine does not trust', COMPANY],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['its certificate is of an authority that this machine does not trust', COMPANY],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [
    'its certificate comes without the one that signed it, or is of an authority that this machine does not trust',
    COMPANY,
  ],
  ERR_TLS_CERT_ALTNAME_INVALID: ['its certificate is for another name', 'name the control plane as its certificate does'],
  EPROTO: ['it does not speak TLS there', 'look at the port, and at http or https'],
};

/** The code of an error, or of what caused it. */
const codeOf = (error: unknown): string => {
  if (error instanceof Error && ['TimeoutError', 'AbortError'].includes(error.name)) return 'ETIMEDOUT';
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    if ('code' in at && typeof at.code === 'string' && at.code in KNOWN) return at.code;
  return '';
};

const skewCheck = (date: string | undefined, now: Date): Check => {
  const theirs = Date.parse(date ?? '');
  if (Number.isNaN(theirs)) return unknown('clock', 'the control plane does not tell its time');
  const seconds = Math.round((now.getTime() - theirs) / 1000);
  if (Math.abs(seconds) * 1000 <= MOST_SKEW_MS) return ok('clock', `within ${Math.abs(seconds)} s of the control plane`);
  return failed(
    'clock',
    `${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} the control plane`,
    'set the clock of the one that is wrong, as by timedatectl set-ntp true: policies are not taken, or expire too soon',
  );
};

/** Asks what a device asks first; nothing is believed, and nothing is sent. */
export const serverChecks = async ({ server, network, now, timeoutMs = TIMEOUT_MS }: ServerOptions): Promise<readonly Check[]> => {
  if (server === undefined) return [unknown('control plane', 'nobody has said which one: cordon doctor --server URL looks at one')];
  const url = new URL('/agent/v1/root', checkServer(server));
  const { request, through } = network();
  const way = through === undefined ? '' : ` through the proxy ${through}`;
  try {
    const { status, headers } = await request(url, {
      method: 'GET',
      headers: { accept: 'application/json' },
      maxBytes: 1_048_576,
      signal: AbortSignal.timeout(timeoutMs),
    });
    const clock = skewCheck(headers.date, now());
    if (status === 200) return [ok('control plane', `${url.origin} answers${way}`), clock];
    const mend = 'look whether the URL is that of the device listener of a Cordon control plane';
    return [(status >= 500 ? warning : failed)('control plane', `${url.origin} answers${way} with status ${status}`, mend), clock];
  } catch (error) {
    const code = codeOf(error);
    const [detail, mend] = KNOWN[code] ?? [said(error), 'look at the URL, the network and the proxy settings of this machine'];
    return [failed('control plane', `${url.origin}${way}: ${detail}${code === '' ? '' : ` [${code}]`}`, mend)];
  }
};

/** Settings that lead the way somewhere. */
export const proxyCheck = (network: () => Network, variables: Readonly<Record<string, string>>): Check => {
  const set = Object.keys(variables);
  const { through } = network();
  if (set.length === 0) return ok('proxy settings', 'none: the control plane is reached straight');
  return ok('proxy settings', `${set.join(', ')}${through === undefined ? ': no proxy for the control plane' : `: through ${through}`}`);
};
