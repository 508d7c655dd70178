/** Who this device is to its control plane: its key, also while that is being replaced, and its sessions. One thing at a time. */
import type { Opened } from '../control/channel.ts';
import { openSession } from '../control/session.ts';
import { createWays } from '../control/ways.ts';
import type { Network } from '../network/network.ts';
import { hasNextKey, loadDeviceKey, type DeviceKey } from './device-key.ts';
import type { Enrollment } from './enrollment.ts';
import { openJoinFile } from './join-file.ts';
import { finishRotation, rotate } from './rotation.ts';

const DAY_MS = 86_400_000;

export interface IdentityOptions {
  readonly stateDir: string;
  readonly enrollment: Enrollment;
  /** A key of this age is replaced; 0: by command only. */
  readonly keyDays: number;
  readonly network: Network;
  readonly now: () => Date;
  readonly log: (message: string) => void;
}

export interface Identity {
  readonly key: () => DeviceKey;
  /** A session, with a key that is due to be replaced replaced first. @throws CordonError `server.*`, or the server's own code */
  open(signal: AbortSignal): Promise<Opened>;
  /** Replaces the key now. @throws CordonError as `open`; the key before stays in use */
  rotate(signal: AbortSignal): Promise<DeviceKey>;
  /** Replaces the key when it is due, also under a session that lasts; until the signal is aborted. */
  keepFresh(signal: AbortSignal): void;
}

/** @throws CordonError `identity.key` */
export const openIdentity = ({ stateDir, enrollment, keyDays, network, now, log }: IdentityOptions): Identity => {
  let key = loadDeviceKey(stateDir);
  const joins = openJoinFile(stateDir, log);
  const ways = createWays();
  const clock = (): number => performance.now();
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work, work);
    turn = mine.catch(() => undefined); // the caller hears of it
    return mine;
  };
  const isDue = (): boolean => keyDays > 0 && now().getTime() - key.madeAt.getTime() > keyDays * DAY_MS;
  const replace = async (how: typeof rotate, signal: AbortSignal): Promise<void> => {
    const before = key.kid;
    key = await how({ stateDir, enrollment, network, now, signal });
    if (key.kid !== before) log(`the key of this device was replaced: ${before} by ${key.kid}`);
  };
  /** A refusal costs nothing but the new key: the old one may still be the one that is known. */
  const replaceIfDue = async (signal: AbortSignal): Promise<void> => {
    if (!hasNextKey(stateDir) && !isDue()) return;
    await replace(isDue() ? rotate : finishRotation, signal).catch((error: unknown) =>
      log(`the key of this device could not be replaced: ${error instanceof Error ? error.message : String(error)}`),
    );
  };
  return {
    key: () => key,
    keepFresh: (signal) => {
      const timer = setInterval(() => void inTurn(() => replaceIfDue(signal)), DAY_MS);
      timer.unref();
      signal.addEventListener('abort', () => clearInterval(timer), { once: true });
    },
    open: (signal) =>
      inTurn(async () => {
        await replaceIfDue(signal);
        return openSession({ enrollment, key, joins, network, ways, clock, random: Math.random, log, signal });
      }),
    rotate: (signal) =>
      inTurn(async () => {
        await replace(rotate, signal);
        return key;
      }),
  };
};
