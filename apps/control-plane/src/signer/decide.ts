/** What the signer signs, pure: its own memory against what it is asked. It trusts neither the database nor the API process. */
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { BundleManifest, MAX_MANIFEST_LIFETIME_MS } from '@cordon/policy/trust/bundle.ts';
import { CheckpointPayload } from '@cordon/policy/trust/checkpoint.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';

/** Highest checkpoint ever signed. */
export interface HighWater {
  readonly epoch: number;
  readonly serial: number;
}

/**
 * What the signer kept of it. A file that says something else must not read as "nothing signed yet".
 * @throws CordonError `signer.state`
 */
export const readHighWater = (text: string): HighWater => {
  const kept = parseStrictJson(text, { maxBytes: 1024, maxDepth: 2 });
  if (!Mark.Check(kept)) throw new CordonError('signer.state', "the signer's high-water mark is damaged: restore it from the backup");
  return kept;
};

const Mark = Compile(
  Type.Object({ epoch: Type.Integer({ minimum: 0 }), serial: Type.Integer({ minimum: 0 }) }, { additionalProperties: false }),
);
const Manifest = Compile(BundleManifest);
const Checkpoint = Compile(CheckpointPayload);
const MAX_CHECKPOINT_MS = 60 * 60_000;

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
  if (epoch < high.epoch || (epoch === high.epoch && serial < high.serial))
    refuse(
      'signer.rollback',
      `epoch ${epoch} serial ${serial} is below ${high.epoch}/${high.serial}, which was signed already; after a restore the root must raise the epoch`,
    );
  return { payload, high: { epoch, serial } };
};
