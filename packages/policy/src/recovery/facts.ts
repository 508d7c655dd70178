/** What an installation of the control plane says of itself, for who must bring it back: `main.ts inspect` writes it, `cordonctl recover` reads it. No secrets. */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { HexDigest } from '../protocol/enrollment.ts';

const closed = { additionalProperties: false } as const;
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Text = Type.String({ maxLength: 4096 });
/** Why something could not be looked at: a code and its message. */
const Trouble = Type.Object({ code: Text, message: Text }, closed);
const Stand = Type.Object({ epoch: Count, serial: Count }, closed);

export const Signer = Type.Object(
  {
    /** Key ids by role; null when there are no keys. */
    keys: Type.Union([Type.Object({ policy: Text, checkpoint: Text, identity: Text }, closed), Type.Null(), Trouble]),
    /** The highest that it signed; null when it signed nothing yet. */
    mark: Type.Union([Stand, Type.Null(), Trouble]),
    /** It was restored: in the epoch of its mark it signs nothing more. */
    closed: Type.Boolean(),
  },
  closed,
);
export const Database = Type.Object(
  {
    org: Text,
    fingerprint: Text,
    roots: Type.Array(Type.String({ maxLength: 65_536 }), { minItems: 1, maxItems: 256 }),
    floor: Type.String({ maxLength: 262_144 }),
    newest: Type.Union([Stand, Type.Null()]),
    /** What the newest checkpoint says of what people approved: a digest, or null where it says nothing. */
    standing: Type.Union([HexDigest, Type.Null()]),
    audit: Type.Object({ seq: Count, hash: HexDigest }, closed),
    devices: Count,
    owners: Count,
  },
  closed,
);
export const Inspection = Type.Object(
  {
    format: Type.Literal('cordon-inspection/1'),
    stateDir: Text,
    /** The service runs on this state folder now. */
    running: Type.Boolean(),
    signer: Signer,
    /** Null: there is no database yet, or it has no organisation. */
    database: Type.Union([Database, Type.Null(), Trouble]),
  },
  closed,
);
export type Database = Static<typeof Database>;
export type Inspection = Static<typeof Inspection>;
export type Trouble = Static<typeof Trouble>;
const validator = Compile(Inspection);

export const isTrouble = (value: unknown): value is Trouble => typeof value === 'object' && value !== null && 'code' in value;

/** @returns undefined for what is none */
export const readInspection = (value: unknown): Inspection | undefined => (validator.Check(value) ? value : undefined);
