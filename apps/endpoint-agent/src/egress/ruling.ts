/** One decision about one target: by the rules, then by the addresses that its name leads to. It is told to the daemon, and a denial says why. */
import type { LookupAddress } from 'node:dns';
import { CordonError } from '@cordon/policy/errors.ts';
import type { HttpRequest } from '@cordon/policy/decide/egress.ts';
import { explainEgress } from '@cordon/policy/explain.ts';
import { denial, type Denied } from './denial.ts';
import type { Rules } from './rules.ts';
import type { Target } from './target.ts';
import type { Way } from './way.ts';

export interface Pass {
  /** The addresses that were judged, and no others; empty when the company's proxy is asked for the name. */
  readonly addresses: readonly LookupAddress[];
  /** Whether it may carry what is not TLS, also at port 443. */
  readonly raw: boolean;
  /** Whether other rules would let it through too. @param dialled the address that it is connected to, once it is */
  readonly stands: (rules: Rules, dialled: string | undefined) => boolean;
}

export type Ruling = Pass | Denied;

const standsFor =
  (target: Target, http: HttpRequest | undefined, addresses: readonly LookupAddress[], { resolver }: Way): Pass['stands'] =>
  ({ index }, dialled) => {
    const explained = explainEgress(index, target.host, target.port, http);
    if (explained.verdict === 'denied') return false;
    const places = dialled === undefined || addresses.length === 0 ? addresses.map(({ address }) => address) : [dialled];
    return places.every(
      (address) => (explained.private || !resolver.isNear(address)) && index.addressStops(address, target.port).length === 0,
    );
  };

/** @param http undefined for a tunnel */
export const rule = async (target: Target, http: HttpRequest | undefined, way: Way): Promise<Ruling> => {
  const rules = way.rules();
  const { host, port } = target;
  const explained = explainEgress(rules.index, host, port, http);
  const said = {
    host,
    port,
    ...(http !== undefined && { http }),
    rule: explained.rule?.rule ?? 'default-deny',
    policy: explained.rule?.policy ?? '',
  };
  const deny = (status: Denied['status'], code: string, reason: string): Denied => {
    way.decided({ ...said, verdict: 'denied', code });
    return denial(status, code, reason, target, explained.rule, rules);
  };
  if (explained.verdict === 'denied') return deny(403, 'egress.denied', explained.reason);
  const spent = way.budget.exhausted();
  if (spent !== undefined) return deny(403, 'egress.budget', `this run has used up its limit of bytes (resources.${spent})`);
  const elsewhere = way.upstream !== undefined && !explained.private;
  try {
    const found = elsewhere ? [] : await way.resolver.resolve({ host, private: explained.private, exact: explained.exact });
    if (
      await way.reserved(
        host,
        port,
        found.map(({ address }) => address),
      )
    )
      return deny(403, 'egress.own', `${host}:${port} is Cordon's own; no rule leads there`);
    // Other rules came meanwhile.
    if (way.rules() !== rules) return await rule(target, http, way);
    const judged = found.map((address) => ({ address, stop: rules.index.addressStops(address.address, port)[0] }));
    const addresses = judged.filter(({ stop }) => stop === undefined).map(({ address }) => address);
    const [stopped] = judged;
    if (stopped !== undefined && addresses.length === 0) {
      const { address, stop } = stopped;
      return deny(403, 'egress.network', `${host} leads to ${address.address}, which rule ${stop?.rule} of ${stop?.policy} stops`);
    }
    way.decided({ ...said, verdict: 'allowed', addresses: addresses.map(({ address }) => address) });
    return { addresses, raw: explained.raw, stands: standsFor(target, http, addresses, way) };
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return deny(error.code === 'egress.unresolved' ? 502 : 403, error.code, error.message);
  }
};
