/**
 * Which tokens of runs the signer signs, pure: of a device that stands in a cohort under a checkpoint of its own, with the bundle that this cohort has, for an audience
 * that a policy in that bundle names. So whoever has the API process alone makes no token for another device's place or for an audience that nobody approved.
 */
import { CordonError } from '@cordon/policy/errors.ts';
import type { Held } from '@cordon/policy/approval/held.ts';
import { withExceptions } from '@cordon/policy/document/exception.ts';
import type { RootDocument } from '@cordon/policy/trust/root.ts';
import { audienceOf, isRunTokenClaims, type RunTokenClaims } from '@cordon/policy/trust/run-token.ts';
import { MAX_TOKEN_SKEW_SECONDS } from './decide.ts';
import type { Leaves } from './leaves.ts';

export interface TokenWorld {
  readonly root: Pick<RootDocument, 'org' | 'epoch'>;
  readonly leaves: Pick<Leaves, 'memberOf' | 'cohortOf'>;
  readonly heldOf: (digest: string) => Held | undefined;
  readonly now: Date;
}

const refuse = (code: string, message: string, retryable = false): never => {
  throw new CordonError(code, message, { retryable });
};
/** A publish was signed in between, or another replica's signer was faster. */
const behind = (message: string): never => refuse('signer.token', message, true);

/** Whether an enforced allow names it; whether it reaches this run is for the device, which resolves. */
const names = (held: Held, audience: string, now: Date): boolean => {
  const { policies, exceptions } = held.prepared();
  return withExceptions(policies, exceptions, now).some(
    ({ mode, allowedIdentity }) => mode === 'enforce' && allowedIdentity.some(({ host }) => audienceOf(host) === audience),
  );
};

/** @throws CordonError `signer.refused`, `signer.epoch`, `signer.clock`, `signer.token` */
export const checkRunToken = (claims: unknown, { root, leaves, heldOf, now }: TokenWorld): RunTokenClaims => {
  if (!isRunTokenClaims(claims)) return refuse('signer.refused', 'not the claims of a run’s token');
  const { verified, aud, iat } = claims;
  if (verified.organisation !== root.org) refuse('signer.refused', 'it is of another organisation');
  if (verified.epoch !== root.epoch) refuse('signer.epoch', `the root is in epoch ${root.epoch}, not ${verified.epoch}`);
  if (Math.abs(iat - now.getTime() / 1000) > MAX_TOKEN_SKEW_SECONDS)
    refuse('signer.clock', `it would be issued at ${iat}, and for the signer it is ${now.toISOString()}: set the clock`);
  const cohort = leaves.memberOf(verified.device);
  if (cohort === undefined || cohort === '' || cohort !== verified.cohort)
    behind('the device does not stand in that cohort under what was signed last');
  if (leaves.cohortOf(verified.cohort)?.digest !== verified.bundle)
    behind('the cohort of the device has another bundle under what was signed last');
  const held = heldOf(verified.bundle) ?? behind('the signer does not have that bundle');
  if (!names(held, aud, now)) refuse('signer.token', `no policy of the device lets ${aud} receive the identity of runs`);
  return claims;
};
