/**
 * cordon-events/1: what a run accessed or was denied, and what happened to the device itself. Metadata only: the program's name, never its
 * arguments, no content. Every field has a limit and is hostile to whoever reads it.
 */
import { Type, type Static } from 'typebox';
import { EndedBy } from './orders.ts';
import { HexDigest } from './enrollment.ts';
import { MAX_PLACE } from './inventory.ts';
import { Time } from './time.ts';

export const EVENT_SCHEMA = 'cordon-events/1';

const closed = { additionalProperties: false } as const;
const Text = (max: number) => Type.String({ maxLength: max });

const common = {
  seq: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  at: Time,
};
const run = { run: Text(64), agent: Text(64), osUser: Text(64) };

export const RunStarted = Type.Object(
  {
    ...common,
    kind: Type.Literal('run.started'),
    ...run,
    program: Text(128),
    digest: Text(64),
    parent: Type.Optional(Text(64)),
    controls: Type.Array(Type.Object({ control: Text(64), state: Text(16) }, closed), { maxItems: 32 }),
    attested: Type.Boolean(),
  },
  closed,
);
export const RunEnded = Type.Object(
  {
    ...common,
    kind: Type.Literal('run.ended'),
    ...run,
    reason: Type.Union([Type.Literal('exited'), Type.Literal('killed'), Type.Literal('timeout'), Type.Literal('setup-failed')]),
    exitCode: Type.Integer({ minimum: -2_147_483_648, maximum: 4_294_967_295 }),
    durationMs: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  },
  closed,
);
export const LaunchRefused = Type.Object(
  { ...common, kind: Type.Literal('launch.refused'), ...run, code: Text(64), program: Text(128) },
  closed,
);
export const Egress = Type.Object(
  {
    ...common,
    kind: Type.Literal('egress'),
    ...run,
    verdict: Type.Union([Type.Literal('allowed'), Type.Literal('denied')]),
    host: Text(253),
    port: Type.Integer({ minimum: 0, maximum: 65_535 }),
    rule: Text(160),
    policy: Text(128),
    code: Type.Optional(Text(64)),
  },
  closed,
);
/**
 * Every acknowledgement stands in the chain as one of these: activated (other rules) and confirmed (the same under a newer serial, or loaded again) are `enforced`,
 * rejected is `failed`. The acknowledgement's own frame is only faster.
 */
export const PolicyState = Type.Object(
  {
    ...common,
    kind: Type.Literal('policy'),
    state: Type.Union([
      Type.Literal('activated'),
      Type.Literal('confirmed'),
      Type.Literal('rejected'),
      Type.Literal('stale'),
      Type.Literal('expired'),
    ]),
    digest: Text(64),
    epoch: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
    serial: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    code: Type.Optional(Text(64)),
  },
  closed,
);
/** The daemon itself: its start begins each boot's chain, and says on what assurance everything after it rests. */
export const DaemonEvent = Type.Object(
  {
    ...common,
    kind: Type.Literal('daemon'),
    state: Type.Union([Type.Literal('started'), Type.Literal('maintenance'), Type.Literal('problem')]),
    assurance: Type.Union([Type.Literal('system'), Type.Literal('user')]),
    /** Of a start: how the daemon before it ended. */
    after: Type.Optional(EndedBy),
    code: Type.Optional(Text(64)),
  },
  closed,
);
/** Of a self-test: what its frame says, bound by the SHA-256 of the canonical form of its result. */
export const SelfTested = Type.Object(
  {
    ...common,
    kind: Type.Literal('selftest'),
    digest: Text(64),
    passed: Type.Boolean(),
    failed: Type.Array(Text(64), { maxItems: 32 }),
    result: HexDigest,
  },
  closed,
);
/**
 * An agent ran outside containment. `program` is the file that shows whose it is, never an argument; `count`: so many were started since the event of it before,
 * where they come faster than they are told of. `failed`: the policy says to stop it, and that did not work.
 */
export const AgentUncontained = Type.Object(
  {
    ...common,
    kind: Type.Literal('agent.uncontained'),
    agent: Text(64),
    osUser: Text(64),
    program: Text(MAX_PLACE),
    evidence: Text(16),
    action: Type.Union([Type.Literal('reported'), Type.Literal('stopped'), Type.Literal('failed')]),
    count: Type.Integer({ minimum: 1, maximum: 1_000_000_000 }),
  },
  closed,
);
/** What could not be kept: counted, never silent. */
export const Dropped = Type.Object(
  { ...common, kind: Type.Literal('dropped'), count: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }), code: Text(64) },
  closed,
);

/** A run that lives was told that it ends because of a policy, and when; null: that it goes on after all. */
export const RunNotice = Type.Object(
  { ...common, kind: Type.Literal('run.notice'), ...run, code: Text(64), endsAt: Type.Union([Time, Type.Null()]) },
  closed,
);
const Count = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
const Verdict = Type.Union([Type.Literal('allowed'), Type.Literal('denied')]);
const FileAccess = Type.Union([Type.Literal('read'), Type.Literal('write')]);
/** A file that was denied to a run, where something on the device could see it: `recorder` says what. `code` is what the program was told. */
export const FileDenied = Type.Object(
  {
    ...common,
    kind: Type.Literal('file'),
    ...run,
    verdict: Type.Literal('denied'),
    access: FileAccess,
    path: Text(4096),
    rule: Text(160),
    policy: Text(128),
    code: Text(64),
    recorder: Text(32),
    count: Count,
  },
  closed,
);
/** An access, or the run itself, on which policies in audit mode would have decided otherwise: `verdict` is theirs, `enforced` what happened. */
export const Audited = Type.Object(
  {
    ...common,
    kind: Type.Literal('audit'),
    ...run,
    verdict: Verdict,
    enforced: Verdict,
    access: Type.Union([Type.Literal('run'), Type.Literal('network'), FileAccess]),
    target: Text(4096),
    rule: Text(160),
    policy: Text(128),
    count: Count,
  },
  closed,
);
/** A run asked for its identity towards an audience, and got it (allowed) or not: never the token itself. `code` says why not. */
export const RunToken = Type.Object(
  {
    ...common,
    kind: Type.Literal('run.token'),
    ...run,
    verdict: Verdict,
    audience: Text(264),
    delivery: Type.Union([Type.Literal('workload'), Type.Literal('proxy')]),
    code: Type.Optional(Text(64)),
  },
  closed,
);
/** So many events of one class that one run caused beyond its quota, since the last of these. */
export const Flood = Type.Object({ ...common, kind: Type.Literal('flood'), ...run, class: Text(16), count: Count }, closed);

/** Something about a run that somebody should look at: a mask that fell, a socket within what it was given, a file left that programs of the host execute. */
export const RunFinding = Type.Object({ ...common, kind: Type.Literal('run.finding'), ...run, code: Text(64), place: Text(4096) }, closed);

export const TelemetryEvent = Type.Union([
  RunStarted,
  RunEnded,
  RunFinding,
  RunNotice,
  RunToken,
  LaunchRefused,
  Egress,
  FileDenied,
  Audited,
  Flood,
  PolicyState,
  SelfTested,
  DaemonEvent,
  AgentUncontained,
  Dropped,
]);
export type TelemetryEvent = Static<typeof TelemetryEvent>;

/** An event before the spool gives it a number and a time. */
export type NewEvent = TelemetryEvent extends infer E ? (E extends TelemetryEvent ? Omit<E, 'seq' | 'at'> : never) : never;
