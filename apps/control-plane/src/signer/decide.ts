/** What the signer signs, pure: its own memory against what it is asked. It trusts neither the database nor the API process. */
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { BundleManifest, MAX_MANIFEST_LIFETIME_MS } from '@cordon/policy/trust/bundle.ts';
import { CHECKPOINT_LIFETIME_MS, CheckpointPayload } from '@cordon/policy/trust/checkpoint.ts';
import type { RootDocument } from '@cordon/policy/trust/root.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';

/** Highest checkpoint ever signed. */
export interface HighWater {
  readonly epoch: number;
  readonly serial: number;
}
/** As it lies beside the state: written after it, so a state that is below it is an older one. */
export interface Mark extends HighWater {
  /** That there is a state, and under which name: without it, it was lost. */
  readonly state?: string;
}

export const isBelow = (a: HighWater, b: HighWater): boolean => a.epoch < b.epoch || (a.epoch === b.epoch && a.serial < b.serial);

/**
 * What the signer kept of it. A file that says something else must not read as "nothing signed yet".
 * @throws CordonError `signer.state`
 */
export const readHighWater = (text: string): Mark => {
  const kept = parseStrictJson(text, { maxBytes: 1024, maxDepth: 2 });
  if (!MarkSchema.Check(kept)) throw new CordonError('signer.state', "the signer's high-water mark is damaged: restore it from the backup");
  return kept;
};

const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const MarkSchema = Compile(
  Type.Object({ epoch: Count, serial: Count, state: Type.Optional(Type.String({ maxLength: 64 })) }, { additionalProperties: false }),
);
const Manifest = Compile(BundleManifest);
const Checkpoint = Compile(CheckpointPayload);
const MAX_CHECKPOINT_MS = 60 * 60_000;
/** What is issued later than this from now would serve to keep devices where they are, when its time has come. */
const MAX_AHEAD_MS = CHECKPOINT_LIFETIME_MS;
/** Signer and service run on one machine; a token from another time would be one for another time. */
export const MAX_TOKEN_SKEW_SECONDS = 60;

const refuse = (code: string, message: string): never => {
  throw new CordonError(code, message);
};

const lives = (issuedAt: string, expiresAt: string, most: number): boolean => {
  const ms = Date.parse(expiresAt) - Date.parse(issuedAt);
  return ms > 0 && ms <= most;
};

/** @throws CordonError `signer.refused` */
export const checkManifest = (payload: unknown): BundleManifest => {
  if (!Manifest.Check(payload)) return refuse('signer.refused', 'not a bundle manifest');
  if (!lives(payload.issuedAt, payload.expiresAt, MAX_MANIFEST_LIFETIME_MS)) refuse('signer.refused', 'the manifest would live too long');
  return payload;
};

/** @returns the payload and the high-water mark that must be kept before it is signed. @throws CordonError `signer.refused`, `signer.rollback` */
export const checkCheckpoint = (payload: unknown, high: HighWater): { readonly payload: CheckpointPayload; readonly high: HighWater } => {
  if (!Checkpoint.Check(payload)) return refuse('signer.refused', 'not a checkpoint');
  if (!lives(payload.issuedAt, payload.expiresAt, MAX_CHECKPOINT_MS)) refuse('signer.refused', 'the checkpoint would live too long');
  const { epoch, serial } = payload;
  if (isBelow(payload, high))
    refuse(
      'signer.rollback',
      `epoch ${epoch} serial ${serial} is below ${high.epoch}/${high.serial}, which was signed already; after a restore the root must raise the epoch`,
    );
  return { payload, high: { epoch, serial } };
};

/** What is signed is of this organisation, of the root's epoch, and of now. @throws CordonError `signer.refused`, `signer.epoch`, `signer.clock` */
export const checkMoment = (
  { org, epoch, issuedAt }: { readonly org: string; readonly epoch?: number; readonly issuedAt: string },
  root: Pick<RootDocument, 'org' | 'epoch'>,
  now: Date,
): void => {
  if (org !== root.org) refuse('signer.refused', 'it is of another organisation');
  if (epoch !== undefined && epoch !== root.epoch) refuse('signer.epoch', `the root is in epoch ${root.epoch}, not ${epoch}`);
  if (Date.parse(issuedAt) > now.getTime() + MAX_AHEAD_MS)
    refuse('signer.clock', `it would be issued at ${issuedAt}, and for the signer it is ${now.toISOString()}: set the clock`);
};
