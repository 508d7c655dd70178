/** What a device says anew on each connection: what it enforces, and what its last self-test found. */
import type { SelfTest, UpFrame } from '@cordon/policy/protocol/channel.ts';

/** @param isPersisted a restart would find what is in force */
export const restate = (
  send: (frame: UpFrame) => boolean,
  inForce: { readonly epoch: number; readonly serial: number; readonly digest: string } | null,
  isPersisted: boolean,
  result: SelfTest | undefined,
): void => {
  if (inForce !== null) send({ type: 'ack', ...inForce, phase: 'enforced', ...(!isPersisted && { code: 'state.not-persisted' }) });
  if (result !== undefined) send({ type: 'selftest', result });
};
