/** Enrollment (design §6): the root is compared before anything is sent, the token signs and is never sent, the device's key is made here. */
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { ChallengeReply, EnrollReply, RootReply, type DeviceFacts } from '@cordon/policy/protocol/enrollment.ts';
import { signGeneral } from '@cordon/policy/trust/envelope.ts';
import { verifyFloor } from '@cordon/policy/trust/floor.ts';
import { verifyRootChain } from '@cordon/policy/trust/root.ts';
import { parseToken } from '@cordon/policy/trust/token.ts';
import { call, type Means } from './device-api.ts';
import { ensureDeviceKey } from './device-key.ts';
import { loadEnrollment, saveEnrollment, type Enrollment } from './enrollment.ts';
import { checkGoesOn, checkSameOrganisation, withoutDaemon } from './rejoin.ts';

const Root = Compile(RootReply);
const Challenge = Compile(ChallengeReply);
const Reply = Compile(EnrollReply);

export interface EnrollInput {
  readonly stateDir: string;
  readonly server: string;
  readonly token: string;
  readonly facts: DeviceFacts;
  readonly now: Date;
  /** Join the same organisation as a new device: its control plane does not know this one any more. No daemon may run meanwhile. */
  readonly again?: boolean;
  readonly means?: Means | undefined;
}

/** @throws CordonError `enroll.already`, `enroll.roots`, `token.malformed`, `root.*`, `floor.*`, `server.*`, `daemon.already-running`, or the server's own code */
export const enroll = async (input: EnrollInput): Promise<Enrollment> => {
  const already = loadEnrollment(input.stateDir);
  if (already === undefined) return join(input, undefined);
  if (input.again !== true)
    throw new CordonError(
      'enroll.already',
      `this device is enrolled as ${already.device}; a device leaves only when its organisation retires it`,
    );
  return withoutDaemon(input.stateDir, () => join(input, already));
};

const join = async ({ stateDir, server, token, facts, now, means }: EnrollInput, already: Enrollment | undefined): Promise<Enrollment> => {
  const { id, keyPair, fingerprint } = parseToken(token);
  if (already !== undefined) checkSameOrganisation(already, fingerprint);
  // 1. Whose server is this? Nothing has been sent yet but the question.
  const { org, roots, floor } = await call(server, '/agent/v1/root', undefined, Root, means).catch((error: unknown) => {
    if (!(error instanceof CordonError) || error.code !== 'request.not-found') throw error;
    throw new CordonError('server.not-device', `${server} does not serve devices: name the port for devices, 7401 unless it was changed`, {
      cause: error,
    });
  });
  const root = await verifyRootChain(roots, fingerprint, now);
  if (root.document.org !== org) throw new CordonError('root.org', 'the server names another organisation than its root');
  await verifyFloor(floor, root);
  if (already !== undefined) await checkGoesOn(already, { roots, floor }, now);
  // 2. Both keys sign the same statement: the token's the right to join, the device's its possession.
  const key = ensureDeviceKey(stateDir, now);
  const { nonce } = await call(server, '/agent/v1/enroll/challenge', { token: id, jwk: key.jwk }, Challenge, means);
  const statement = await signGeneral({ org, nonce, token: id, jkt: key.kid, facts }, 'cordon-enroll+jws', [keyPair, key]);
  const { device, memberIndex, pending } = await call(server, '/agent/v1/enroll', { jwk: key.jwk, statement }, Reply, means);
  const enrollment: Enrollment = { server, org, device, memberIndex, fingerprint, roots: [...roots], floor, ...(pending && { pending }) };
  saveEnrollment(stateDir, enrollment);
  return enrollment;
};
