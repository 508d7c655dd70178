/** For tests: histories of checkpoints, honest ones and their forks. Not signed unless a test signs them: how they name each other is what counts. */
import { after } from './_world.ts';
import { CHECKPOINT_LIFETIME_MS, type CheckpointPayload } from './checkpoint.ts';
import { sha256Hex } from './digest.ts';
import { skipOf, type Link } from './history.ts';

const MINUTE = 60_000;

export const linkTo = (payload: CheckpointPayload): Link => {
  const text = JSON.stringify(payload);
  return { payload, digest: sha256Hex(text), jws: `e30.${Buffer.from(text).toString('base64url')}.AA` };
};

/** What the checkpoint after `before` says of itself, given all of its epoch before it. */
export const payloadAfter = (before: readonly Link[], change: Partial<CheckpointPayload> = {}): CheckpointPayload => {
  const number = before.length;
  const at = change.issuedAt ?? after(number * 5 * MINUTE).toISOString();
  return {
    format: 'cordon-checkpoint/1',
    org: 'org_a',
    epoch: 3,
    serial: number >> 1,
    number,
    issuedAt: at,
    expiresAt: new Date(Date.parse(at) + CHECKPOINT_LIFETIME_MS).toISOString(),
    audit: { seq: 100 + number, head: sha256Hex(`entry ${number}`) },
    members: { size: 10 + number, root: sha256Hex(`members ${number}`) },
    cohorts: { size: 2, root: sha256Hex('cohorts') },
    previous: before.at(-1)?.digest ?? null,
    skip: before[skipOf(number)]?.digest ?? null,
    ...change,
  };
};

/** @param change of the checkpoint at a place */
export const chainOf = (length: number, change: (number: number) => Partial<CheckpointPayload> = () => ({})): Link[] => {
  const links: Link[] = [];
  for (let number = 0; number < length; number += 1) links.push(linkTo(payloadAfter(links, change(number))));
  return links;
};

/** The same history up to a place, that one not included, and another from there on. */
export const forkOf = (chain: readonly Link[], from: number, length = chain.length): Link[] => {
  const links = chain.slice(0, from);
  while (links.length < length)
    links.push(linkTo(payloadAfter(links, { members: { size: 10 + links.length, root: sha256Hex('another') } })));
  return links;
};
