/**
 * One number for the wire between device and control plane; a line per change. Either side may be two numbers ahead of the other: what is new is more kinds of frames and events, or optional
 * members, never another meaning. The control plane says what it speaks in the header of the upgrade, the device says in its hello which of that it keeps to.
 * The requests before the channel (`/agent/v1`) are closed, and get no new members: what they need beyond that gets a path of its own.
 */
// 1  2026-11-23  first
// 2  2026-11-24  inventories, tokens of runs, requests for exceptions; events: run.finding, run.notice, run.token, file, audit, flood, agent.uncontained
export const PROTOCOL = 2;
const BEHIND = 2;
export const OLDEST_PROTOCOL = Math.max(1, PROTOCOL - BEHIND);
export const SUBPROTOCOL = 'cordon.v1';

/** In the answer to an upgrade: `1-2`, the oldest and the newest that the control plane speaks. One that is silent is of the first version. */
export const PROTOCOL_HEADER = 'cordon-protocol';
export const SPOKEN = `${OLDEST_PROTOCOL}-${PROTOCOL}`;

/** @returns what a device keeps to; undefined when there is none that both speak */
export const agreed = (header: string | string[] | undefined): number | undefined => {
  const [, oldest, newest] = /^([1-9][0-9]{0,3})-([1-9][0-9]{0,3})$/.exec(typeof header === 'string' ? header : '1-1') ?? [];
  if (oldest === undefined || newest === undefined) return undefined;
  const most = Math.min(PROTOCOL, Number(newest));
  return most >= Math.max(OLDEST_PROTOCOL, Number(oldest)) ? most : undefined;
};
