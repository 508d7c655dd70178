/** What devices ask about the history of checkpoints, and what they say that they found in it. Answers are the same for all who ask the same, and made once. */
import { CordonError } from '@cordon/policy/errors.ts';
import { MAX_HEADERS, type FindingFrame, type HistoryRequest } from '@cordon/policy/protocol/history.ts';
import { compareLinks, openLink, walkOf, type Link } from '@cordon/policy/trust/history.ts';
import { verifyRootChain, type TrustedRoot } from '@cordon/policy/trust/root.ts';
import { appendAudit } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { downFrame } from '../gateway/frames.ts';
import { insertFinding, readPlaces } from './store.ts';

/** Walks that are kept ready: after a renewal all devices ask for the same one. */
const REMEMBERED = 64;
/** Of one device: more would only say the same. */
const MAX_FINDINGS = 64;
/** Of all devices, for the database: what does not fit is told again at a later connection. */
const MAX_WAITING = 256;

export interface HistoryDesk {
  /** @returns the frame that answers */
  walk(request: HistoryRequest): Promise<Buffer>;
  /** Keeps it, once, with its audit entry. @throws CordonError `finding.evidence` when the checkpoints are not this organisation's */
  report(device: string, frame: FindingFrame): Promise<void>;
}

const placeOf = ({ payload, digest }: Link): object => ({ epoch: payload.epoch, serial: payload.serial, number: payload.number, digest });

/** Whether the two checkpoints show it by themselves, so that nobody has to believe the device. */
const isProved = (code: FindingFrame['code'], earlier: Link, later: Link): boolean =>
  compareLinks(earlier, later).findings.some((finding) => finding.code === code);

export const createHistoryDesk = ({ pool, prisma, organisation, clock, log }: Context): HistoryDesk => {
  const walks = new Map<string, Promise<Buffer>>();
  let root: Promise<TrustedRoot> | undefined;
  let waiting = 0;
  let turn: Promise<unknown> = Promise.resolve();
  /** One after another, however many come at once: they must not take the database from those who need it. */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    if (waiting >= MAX_WAITING) return Promise.reject(new CordonError('finding.busy', 'too many findings at once; tell it again later'));
    waiting += 1;
    const done = turn.then(work).finally(() => (waiting -= 1));
    turn = done.catch(() => undefined);
    return done;
  };
  const keysEver = async (): Promise<ReturnType<TrustedRoot['everKeys']>> => {
    root ??= verifyRootChain(organisation.roots, organisation.fingerprint, new Date(0));
    return (await root).everKeys('checkpoint');
  };
  const build = async ({ epoch, from, digest, to }: HistoryRequest): Promise<Buffer> => {
    const places = walkOf(from, to, MAX_HEADERS);
    const kept = await readPlaces(pool, epoch, places);
    const missing = places.findIndex((place) => !kept.has(place));
    const headers = (missing === -1 ? places : places.slice(0, missing)).flatMap((place) => kept.get(place) ?? []);
    return downFrame({ type: 'history', digest, to, headers });
  };
  const record = async (device: string, { code, earlier: earlierJws, later: laterJws }: FindingFrame): Promise<void> => {
    const keys = await keysEver();
    const [earlier, later] = await Promise.all([openLink(earlierJws, keys), openLink(laterJws, keys)]).catch((cause: unknown) => {
      throw new CordonError('finding.evidence', 'the checkpoints of the finding are not signed by this organisation', { cause });
    });
    const [proved, at] = [isProved(code, earlier, later), clock()];
    const isNew = await prisma.$transaction(async (tx) => {
      const row = {
        deviceId: device,
        code,
        earlier: earlier.digest,
        later: later.digest,
        evidence: [earlierJws, laterJws],
        proved,
        foundAt: at,
      };
      if (!(await insertFinding(tx, row, MAX_FINDINGS))) return false;
      const detail = { code, proved, earlier: placeOf(earlier), later: placeOf(later) };
      await appendAudit(tx, { actor: `device:${device}`, action: 'history.finding', subject: device, detail, at });
      return true;
    });
    if (isNew) log.error({ device, code, proved }, 'a device was shown a history that does not go on from the one it had');
  };
  return {
    walk: (request) => {
      const key = `${request.epoch}/${request.digest}/${request.from}/${request.to}`;
      const known = walks.get(key) ?? build(request);
      if (walks.size >= REMEMBERED) walks.clear();
      walks.set(key, known);
      known.catch(() => walks.delete(key));
      return known;
    },
    report: (device, frame) => inTurn(() => record(device, frame)),
  };
};
