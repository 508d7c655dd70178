/** What this device remembers of a run for whoever owns it: what it was given, and what became of that. Never an argument of a program, nor anything that it read. */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';

const Text = Type.String({ maxLength: 4096 });
const Texts = Type.Array(Text, { maxItems: 1000 });
const closed = { additionalProperties: false } as const;

export const Given = Type.Object(
  {
    kind: Type.Literal('given'),
    at: Type.String({ maxLength: 32 }),
    run: Text,
    uid: Type.Integer(),
    user: Text,
    agent: Text,
    proof: Type.Union([Type.Literal('proven'), Type.Literal('claimed')]),
    cwd: Text,
    parent: Type.Union([Text, Type.Null()]),
    manifest: Type.Union([Text, Type.Null()]),
    /** Those in force for it, with who answers questions about each, and where. */
    policies: Type.Array(
      Type.Object({ name: Text, revision: Type.Integer(), owner: Type.Optional(Text), contact: Type.Optional(Text) }, closed),
      { maxItems: 1000 },
    ),
    serial: Type.Integer(),
    read: Texts,
    write: Texts,
    hidden: Texts,
    hosts: Texts,
    environment: Texts,
    rights: Texts,
    limits: Texts,
    /** What the gate saw before the workload started. */
    attestation: Type.Object({ uid: Type.Integer(), mounts: Type.Integer() }, closed),
  },
  closed,
);
export type Given = Static<typeof Given>;

/** A run that was refused: what its caller was told. */
const Refused = Type.Object(
  {
    kind: Type.Literal('refused'),
    at: Type.String({ maxLength: 32 }),
    run: Text,
    uid: Type.Integer(),
    user: Text,
    code: Text,
    message: Text,
  },
  closed,
);
export type Refused = Static<typeof Refused>;

/** So many more events than there was room for. */
interface More {
  readonly kind: 'more';
  readonly at: string;
  readonly count: number;
}

export type RunEvent = Extract<NewEvent, { run: string }> & { readonly at: string; readonly count?: number };
export type RunEntry = Given | Refused | More | RunEvent;

const Begins = Compile(Type.Union([Given, Refused]));
/** The first entry of a run says whose it is. */
export const isBeginning = (value: unknown): value is Given | Refused => Begins.Check(value);

/** The daemon's own lines, from a folder that only it can enter: a torn one, and what a later version wrote, is left out. */
export const entryOf = (line: string): RunEntry | undefined => {
  try {
    const value: unknown = JSON.parse(line);
    const isEntry = typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string';
    return isEntry && (!['given', 'refused'].includes(String(value.kind)) || isBeginning(value)) ? (value as RunEntry) : undefined;
  } catch {
    return undefined; // cut in half by a crash
  }
};
