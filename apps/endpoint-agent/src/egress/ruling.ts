/** One decision about one target: by the rules, then by the addresses that its name leads to. It is told to the daemon, and a denial says why. */
import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { CordonError } from '@cordon/policy/errors.ts';
import type { EgressIndex, HttpRequest } from '@cordon/policy/decide/egress.ts';
import { explainEgress } from '@cordon/policy/explain.ts';
import type { Decision } from './messages.ts';
import { resolveHost, type Lookup } from './resolve-host.ts';
import type { Target } from './target.ts';

export interface RulingOptions {
  readonly run: string;
  readonly rules: () => EgressIndex;
  readonly lookup: Lookup;
  readonly own: () => ReadonlySet<string>;
  readonly decided: (decision: Decision) => void;
}

interface Denied {
  readonly status: 403 | 502;
  readonly body: string;
}

/** `lookup` gives the addresses that were judged, and no others. */
export type Ruling = { readonly lookup: LookupFunction } | Denied;

const fixed =
  (addresses: readonly LookupAddress[]): LookupFunction =>
  (_host, { all }, done) => {
    const [first] = addresses;
    if (all === true || first === undefined) done(null, [...addresses]);
    else done(null, first.address, first.family);
  };

/** @param http undefined for a tunnel */
export const rule = async (target: Target, http: HttpRequest | undefined, options: RulingOptions): Promise<Ruling> => {
  const rules = options.rules();
  const explained = explainEgress(rules, target.host, target.port, http);
  const said = {
    run: options.run,
    host: target.host,
    port: target.port,
    rule: explained.rule?.rule ?? 'default-deny',
    policy: explained.rule?.policy ?? '',
  };
  const deny = (status: Denied['status'], code: string, reason: string): Denied => {
    options.decided({ ...said, verdict: 'denied', code });
    const help = `ask the owner of the policy, or see: cordon why ${target.host}:${target.port}`;
    return {
      status,
      body: `${JSON.stringify({ error: code, host: target.host, port: target.port, policy: said.policy, rule: said.rule, reason, help })}\n`,
    };
  };
  if (explained.verdict === 'denied') return deny(403, 'egress.denied', explained.reason);
  try {
    const addresses = await resolveHost(target.host, explained.private, options.lookup, options.own());
    const judged = addresses.map((address) => ({ address, stop: rules.addressStops(address.address, target.port)[0] }));
    const open = judged.filter(({ stop }) => stop === undefined).map(({ address }) => address);
    if (open.length === 0) {
      const { address, stop } = judged[0] ?? {};
      return deny(403, 'egress.network', `${target.host} leads to ${address?.address}, which rule ${stop?.rule} of ${stop?.policy} stops`);
    }
    options.decided({ ...said, verdict: 'allowed' });
    return { lookup: fixed(open) };
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return deny(error.code === 'egress.private' ? 403 : 502, error.code, error.message);
  }
};

/** The body of an answer that no rule is the reason of. */
export const problem = (code: string, reason: string): string => `${JSON.stringify({ error: code, reason })}\n`;
