/** What each version of the protocol says, so that nobody is told what he does not know. A kind that stands in no list is of the newest version. */
import type { UpFrame } from './channel.ts';
import type { TelemetryEvent } from './events.ts';
import { PROTOCOL } from './version.ts';

const FRAMES: Readonly<Record<number, ReadonlySet<UpFrame['type']>>> = {
  1: new Set(['hello', 'ack', 'selftest', 'order.reply', 'history', 'finding', 'telemetry', 'head']),
};
const EVENTS: Readonly<Record<number, ReadonlySet<TelemetryEvent['kind']>>> = {
  1: new Set(['run.started', 'run.ended', 'launch.refused', 'egress', 'policy', 'selftest', 'daemon', 'dropped']),
};

const sinceIn = <T>(lists: Readonly<Record<number, ReadonlySet<T>>>, kind: T): number => {
  const found = Object.entries(lists).find(([, kinds]) => kinds.has(kind));
  return found === undefined ? PROTOCOL : Number(found[0]);
};

/** The first version that knows all that a frame says. */
export const frameSince = (frame: UpFrame): number =>
  frame.type === 'telemetry' ? Math.max(...frame.events.map(({ kind }) => sinceIn(EVENTS, kind))) : sinceIn(FRAMES, frame.type);
