/**
 * `cordon verify --state DIR`: what a device with this state folder says of a state at a given time, so that other suites can try the verifier. It is the one
 * verification of the daemon; nothing is written. Status 0 means accepted, 3 refused, 125 that nothing was judged. See docs/verifier.md.
 */
import fs from 'node:fs';
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { MAX_FRAME_DOWN, MembershipFrame, StateFrame } from '@cordon/policy/protocol/channel.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';
import type { Freshness, VerifiedState } from '@cordon/policy/trust/verify.ts';
import { requireEnrollment } from '../identity/enrollment.ts';
import { createSlots, type StoredState } from '../policy-state/slots.ts';
import { describeProblem, readStored, verifierOf, type Found, type Problem } from '../policy-state/stored.ts';
import { DENIED_STATUS } from './output.ts';
import { argumentsOf, commandNamed } from './table.ts';
import { misused, usageOf } from './table/command.ts';
import { PARTS } from './table/verifier.ts';

type Parts = ReadonlyMap<(typeof PARTS)[number], Buffer>;
const MAX_FILE = 64 * 1024 * 1024;
const [State, Membership] = [Compile(StateFrame), Compile(MembershipFrame)];

export interface Verdict {
  readonly verdict: 'accepted' | 'refused';
  readonly code: string | null;
  readonly message: string | null;
  readonly freshness: Freshness | null;
  readonly digest: string | null;
  readonly epoch: number | null;
  readonly serial: number | null;
}
const accepted = ({ freshness, digest, epoch, serial }: VerifiedState): Verdict => ({
  verdict: 'accepted',
  code: null,
  message: null,
  freshness,
  digest,
  epoch,
  serial,
});
const refused = ({ code, message }: Problem): Verdict => ({
  verdict: 'refused',
  code,
  message,
  freshness: null,
  digest: null,
  epoch: null,
  serial: null,
});

const readPart = (file: string): Buffer => {
  const size = fs.statSync(file, { throwIfNoEntry: false })?.size;
  if (size === undefined || size > MAX_FILE)
    throw new CordonError('verify.file', `${file} ${size === undefined ? 'is not there' : `has more than ${MAX_FILE} bytes`}`, {
      place: file,
    });
  return fs.readFileSync(file);
};
const text = (bytes: Uint8Array): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new CordonError('json.refused', 'not UTF-8', { cause });
  }
};
const json = (bytes: Buffer): unknown => parseStrictJson(bytes, { maxBytes: MAX_FRAME_DOWN, maxDepth: 16 });

/** Both frames as they would have come: what is given, and for the rest what the device has. @throws CordonError `verify.incomplete`, or as the channel does */
const assemble = (parts: Parts, stored: StoredState | undefined): StoredState => {
  const [whole, membership] = [parts.get('frame'), parts.get('membership')];
  const base = whole === undefined ? (stored?.frame ?? { type: 'state', bundle: null }) : json(whole);
  const given = {
    ...(parts.has('checkpoint') && { checkpoint: parts.get('checkpoint')?.toString('latin1') }),
    ...(parts.has('manifest') && { manifest: parts.get('manifest')?.toString('latin1') }),
    ...(parts.has('witness') && { witness: json(parts.get('witness') ?? Buffer.of()) }),
    ...(parts.has('cohort') && { cohort: json(parts.get('cohort') ?? Buffer.of()) }),
    ...(parts.has('bundle') && { bundle: text(parts.get('bundle') ?? Buffer.of()) }),
  };
  const joined = membership === undefined ? stored?.membership : json(membership);
  const missing = whole === undefined && stored === undefined && ['checkpoint', 'manifest', 'cohort'].some((part) => !(part in given));
  if (missing || joined === undefined)
    throw new CordonError(
      'verify.incomplete',
      `the state folder has no valid state to take the rest from: give every part. ${usageOf(commandNamed('verify'))}`,
    );
  const frame = typeof base === 'object' && base !== null ? { ...base, ...given } : base;
  if (!State.Check(frame) || !Membership.Check(joined))
    throw new CordonError('channel.frame', 'a frame that this version does not understand');
  // A frame without bytes means: those that you have.
  const same = frame.bundle === null && stored?.frame.cohort.leaf.digest === frame.cohort.leaf.digest;
  return { frame: same ? { ...frame, bundle: stored.frame.bundle } : frame, membership: joined };
};

/** @throws CordonError `enroll.missing`, `verify.incomplete` */
export const verdictOn = async (stateDir: string, parts: Parts, now: Date, receipt: boolean): Promise<Verdict> => {
  const verify = verifierOf(requireEnrollment(stateDir));
  let judgedAt = now;
  const { kept, newest, ratchet, problems }: Found = await readStored(createSlots(stateDir), verify, ({ seen = 0 }) => {
    // What has been seen has been; on receipt a device goes by its clock.
    judgedAt = receipt ? now : new Date(Math.max(now.getTime(), seen));
    return new Date(Math.max(now.getTime(), seen));
  });
  if (!receipt && kept === 'damaged') return refused(problems[0] ?? { code: 'state.ratchet-damaged', message: '' });
  if (parts.size === 0 && newest === undefined)
    return refused(problems[0] ?? { code: 'state.missing', message: 'this device has never accepted a state: nothing launches' });
  try {
    return accepted(await verify(assemble(parts, newest?.stored), ratchet, judgedAt, receipt));
  } catch (error) {
    if (error instanceof CordonError && error.code === 'verify.incomplete') throw error;
    return refused(describeProblem(error));
  }
};

/** RFC 3339 in UTC. */
const readTime = (time: string | undefined): Date => {
  if (time === undefined) return new Date();
  const now = new Date(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/.test(time) ? time : Number.NaN);
  if (Number.isNaN(now.getTime())) throw new CordonError('cli.usage', `${time} is not a time: write it like 2026-03-01T12:00:00Z`);
  return now;
};

export const verifyCommand = async (args: readonly string[]): Promise<number> => {
  const { options, flags } = argumentsOf('verify', args);
  const stateDir = options.get('state') ?? '';
  if (flags.has('receipt') && flags.has('load')) throw misused(commandNamed('verify'), 'It is --receipt or --load');
  const parts: Parts = new Map(PARTS.flatMap((part) => (options.has(part) ? [[part, readPart(options.get(part) ?? '')]] : [])));
  const receipt = flags.has('receipt') || (parts.size > 0 && !flags.has('load'));
  const verdict = await verdictOn(stateDir, parts, readTime(options.get('now')), receipt);
  process.stdout.write(`${JSON.stringify(verdict, null, flags.has('json') ? 0 : 2)}\n`);
  return verdict.verdict === 'accepted' ? 0 : DENIED_STATUS;
};
