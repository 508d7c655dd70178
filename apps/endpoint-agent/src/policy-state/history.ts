/**
 * The history of checkpoints on this device: what was missed is walked behind what is enforced, and what does not fit is kept, shown and told. Nothing here
 * decides what is in force.
 */
import path from 'node:path';
import { Type, type Static } from 'typebox';
import type { UpFrame } from '@cordon/policy/protocol/channel.ts';
import type { AdmittedKey } from '@cordon/policy/trust/keys.ts';
import { FindingCode, MAX_CHECKPOINT, type HistoryFrame } from '@cordon/policy/protocol/history.ts';
import { openLink, readKeptLink, type Finding, type Link } from '@cordon/policy/trust/history.ts';
import { verifyRootChain } from '@cordon/policy/trust/root.ts';
import { checkedFile, type CheckedFile } from '../checked-file.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import { Tracker } from './tracker.ts';

const MAX_FINDINGS = 16;
const closed = { additionalProperties: false } as const;
const Jws = Type.String({ maxLength: MAX_CHECKPOINT });

/** What the next process needs: up to where all is known, and what was found. */
export const KeptHistory = Type.Object(
  {
    walked: Type.Union([Jws, Type.Null()]),
    findings: Type.Array(Type.Object({ code: FindingCode, at: Type.String({ maxLength: 32 }), earlier: Jws, later: Jws }, closed), {
      maxItems: MAX_FINDINGS,
    }),
  },
  closed,
);

interface Place {
  readonly epoch: number;
  readonly serial: number;
  readonly number: number;
  readonly digest: string;
}

export interface HistoryStatus {
  readonly newest: (Place & { readonly audit: { readonly seq: number; readonly head: string } }) | null;
  /** Headers between two checkpoints that this device was shown are still being asked for. */
  readonly walking: boolean;
  readonly findings: readonly { readonly code: FindingCode; readonly at: string; readonly earlier: Place; readonly later: Place }[];
}

interface Parts {
  readonly file: CheckedFile<Static<typeof KeptHistory>>;
  readonly send: (frame: UpFrame) => boolean;
  /** Keys that signed checkpoints at any time. */
  readonly keys: () => Promise<ReadonlyMap<string, AdmittedKey>>;
  readonly now: () => Date;
  readonly log: (message: string) => void;
}

export interface History {
  /** What was kept of it is damaged: from here on it begins anew. */
  readonly damaged: boolean;
  /** Those of the stored state, at the start: what is older than what an earlier process has walked is no news. */
  begin(seen: readonly Link[]): void;
  /** The checkpoints of a state that was verified. */
  observe(seen: readonly Link[]): void;
  /** An answer; handled in its own time. */
  onAnswer(frame: HistoryFrame): void;
  onConnected(): void;
  status(): HistoryStatus;
}

const placeOf = ({ payload: { epoch, serial, number }, digest }: Link): Place => ({ epoch, serial, number, digest });

const order = (a: Link, b: Link): number => a.payload.epoch - b.payload.epoch || a.payload.number - b.payload.number;

export const createHistory = ({ file, send, keys, now, log }: Parts): History => {
  const kept = file.read();
  const before = kept === 'damaged' || kept === undefined ? { walked: null, findings: [] } : kept;
  const tracker = new Tracker(before.walked === null ? undefined : readKeptLink(before.walked));
  const findings = before.findings.flatMap(({ code, at, earlier, later }) => {
    const [first, second] = [readKeptLink(earlier), readKeptLink(later)];
    return first === undefined || second === undefined ? [] : [{ code, at, earlier: first, later: second }];
  });
  let [asking, stored, turn] = [false, before.walked, Promise.resolve()];

  const keep = (): void => {
    const walked = tracker.walked?.jws ?? null;
    try {
      file.write({
        walked,
        findings: findings.map(({ code, at, earlier, later }) => ({ code, at, earlier: earlier.jws, later: later.jws })),
      });
      stored = walked;
    } catch (error) {
      // An older one makes the next process walk further back, no more.
      log(`how far the history was walked could not be stored: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const tell = ({ code, earlier, later }: Finding): boolean => send({ type: 'finding', code, earlier: earlier.jws, later: later.jws });
  const record = (found: readonly Finding[]): void => {
    for (const finding of found) {
      const { code, earlier, later } = finding;
      const isKnown = findings.some(
        (one) => one.code === code && one.earlier.digest === earlier.digest && one.later.digest === later.digest,
      );
      if (isKnown || findings.length >= MAX_FINDINGS) continue;
      findings.push({ ...finding, at: now().toISOString() });
      log(
        `HISTORY ${code}: checkpoint ${later.payload.epoch}/${later.payload.number} does not go on from ${earlier.payload.epoch}/${earlier.payload.number}`,
      );
      tell(finding);
    }
    if (found.length > 0 || (tracker.walked?.jws ?? null) !== stored) keep();
  };
  const ask = (): void => {
    const request = tracker.next();
    if (!asking && request !== undefined) asking = send(request);
  };
  const take = async (frame: HistoryFrame): Promise<void> => {
    const by = await keys();
    const headers = await Promise.all(frame.headers.map((jws) => openLink(jws, by))).catch((error: unknown) => {
      log(`a header is not what it should be: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    });
    asking = false;
    record(tracker.take(frame, headers, now()));
    ask();
  };

  const observe = (seen: readonly Link[]): void => {
    for (const link of seen.toSorted(order)) record(tracker.observe(link));
    ask();
  };

  return {
    damaged: kept === 'damaged',
    begin: (seen) => {
      const { walked } = tracker;
      const isNews = (link: Link): boolean => walked === undefined || order(walked, link) < 0;
      for (const link of seen) if (!isNews(link)) tracker.remember(link);
      observe(seen.filter(isNews));
    },
    observe,
    onAnswer: (frame) => {
      turn = turn.then(() => take(frame)).catch((error: unknown) => log(`headers could not be looked at: ${String(error)}`));
    },
    onConnected: () => {
      asking = false;
      for (const finding of findings) tell(finding);
      ask();
    },
    status: () => {
      const { newest } = tracker;
      return {
        newest: newest === undefined ? null : { ...placeOf(newest), audit: { ...newest.payload.audit } },
        walking: tracker.isWalking,
        findings: findings.map(({ code, at, earlier, later }) => ({ code, at, earlier: placeOf(earlier), later: placeOf(later) })),
      };
    },
  };
};

interface Opening extends Omit<Parts, 'file' | 'keys'> {
  readonly stateDir: string;
  readonly trusted: () => Pick<Enrollment, 'roots' | 'fingerprint'>;
  /** Checkpoints of the stored state. */
  readonly seen: readonly Link[];
}

/** The history of an enrolled device, in its state folder. */
export const openHistory = ({ stateDir, trusted, seen, ...parts }: Opening): History => {
  const history = createHistory({
    ...parts,
    file: checkedFile(path.join(stateDir, 'history.json'), KeptHistory),
    keys: async () => (await verifyRootChain(trusted().roots, trusted().fingerprint, new Date(0))).everKeys('checkpoint'),
  });
  history.begin(seen);
  return history;
};
