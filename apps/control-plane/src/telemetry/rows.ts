/** Batches as lines of COPY's text format: one archive row a batch, one narrow row an event. Pure. */
import zlib from 'node:zlib';
import type { TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import type { TelemetryEvent } from '@cordon/policy/protocol/events.ts';

export interface Received {
  readonly device: string;
  readonly frame: TelemetryFrame;
  readonly receivedAt: Date;
  /** The text of its events that its hash covers. */
  readonly body: string;
}

/** A batch as rows, ready to be sent: what waits for the database is bytes, and costs no garbage collection. */
export interface Rows {
  readonly device: string;
  readonly frame: Omit<TelemetryFrame, 'events'>;
  /** How many events. */
  readonly events: number;
  readonly batchRow: Buffer;
  readonly eventRows: Buffer;
}

export const BATCH_COPY = 'COPY telemetry_batch (device_id, boot, seq_from, seq_to, received_at, prev_hash, hash, count, body) FROM STDIN';
export const EVENT_COPY =
  'COPY telemetry_event (device_id, boot, seq, at, received_at, kind, run, agent, os_user, verdict, rule, target, detail) FROM STDIN';

// oxlint-disable-next-line no-control-regex -- what COPY's text format reserves, and NUL, which PostgreSQL cannot store
const SPECIAL = /[\\\n\r\t\0]/;
// oxlint-disable-next-line no-control-regex -- as above
const EVERY_SPECIAL = /[\\\n\r\t\0]/g;
const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\uFFFD' };

/** NULL is `\N`; a NUL character, which no text column holds, becomes U+FFFD (the archive keeps what was sent). */
export const copyText = (text: string | undefined): string =>
  text === undefined ? '\\N' : SPECIAL.test(text) ? text.replace(EVERY_SPECIAL, (char) => ESCAPED[char] ?? '') : text;

/** Not where the backslash itself is escaped. */
const ESCAPED_NUL = /(?<!\\)((?:\\\\)*)\\u0000/g;

/** JSON escapes NUL as \u0000, which jsonb refuses. */
const json = (value: object): string => {
  const text = JSON.stringify(value);
  return copyText(text.includes('\\u0000') ? text.replaceAll(ESCAPED_NUL, '$1\uFFFD') : text);
};

/** Verdict, rule, target and detail: what of an event questions are asked about, and the rest. Texts alone, since there is one for each of very many events. */
const columns = (verdict: string | undefined, rule: string | undefined, target: string | undefined, detail: object): string =>
  `${copyText(verdict)}\t${copyText(rule)}\t${copyText(target)}\t${json(detail)}`;

/** Members that are undefined are absent in JSON. */
const columnsOf = (event: TelemetryEvent): string => {
  switch (event.kind) {
    case 'run.started': {
      const { program, digest, parent, controls, attested } = event;
      return columns(undefined, undefined, program, { digest, parent, controls, attested });
    }
    case 'run.ended':
      return columns(event.reason, undefined, undefined, { exitCode: event.exitCode, durationMs: event.durationMs });
    case 'run.finding':
      return columns(undefined, undefined, event.place, { code: event.code });
    case 'launch.refused':
      return columns('denied', undefined, event.program, { code: event.code });
    case 'egress':
      return columns(event.verdict, event.rule, `${event.host}:${event.port}`, { policy: event.policy, code: event.code });
    case 'run.token':
      return columns(event.verdict, undefined, event.audience, { delivery: event.delivery, code: event.code });
    case 'run.notice':
      return columns(undefined, undefined, event.code, { endsAt: event.endsAt });
    case 'file': {
      const { verdict, rule, path, access, policy, code, recorder, count } = event;
      return columns(verdict, rule, path, { access, policy, code, recorder, count });
    }
    case 'audit': {
      const { verdict, rule, target, access, enforced, policy, count } = event;
      return columns(verdict, rule, target, { access, enforced, policy, count });
    }
    case 'flood':
      return columns(undefined, undefined, event.class, { count: event.count });
    case 'policy':
      return columns(event.state, undefined, event.digest, { epoch: event.epoch, serial: event.serial, code: event.code });
    case 'selftest':
      return columns(event.passed ? 'passed' : 'failed', undefined, event.digest, { failed: event.failed, result: event.result });
    case 'daemon':
      return columns(event.state, undefined, event.code, { assurance: event.assurance, after: event.after });
    case 'agent.uncontained':
      return columns(event.action, undefined, event.program, { evidence: event.evidence, count: event.count });
    case 'dropped':
      return columns(undefined, undefined, event.code, { count: event.count });
  }
};

const eventLines = ({ device, frame, receivedAt }: Received): string => {
  const head = `${device}\t${frame.boot}\t`;
  const received = receivedAt.toISOString();
  let lines = '';
  for (const event of frame.events) {
    const run = 'run' in event ? copyText(event.run) : '\\N';
    const who = 'agent' in event ? `${run}\t${copyText(event.agent)}\t${copyText(event.osUser)}` : '\\N\t\\N\t\\N';
    lines += `${head}${event.seq}\t${event.at}\t${received}\t${event.kind}\t${who}\t${columnsOf(event)}\n`;
  }
  return lines;
};

/**
 * The fastest level is also the smallest on batches of similar events. The window and tables are for texts of this size: those that zstd takes by itself are a megabyte
 * from the system for each batch, and given back.
 */
const COMPRESSION = {
  chunkSize: 4096,
  params: {
    [zlib.constants.ZSTD_c_compressionLevel]: 1,
    [zlib.constants.ZSTD_c_windowLog]: 15,
    [zlib.constants.ZSTD_c_hashLog]: 13,
    [zlib.constants.ZSTD_c_chainLog]: 13,
  },
};

const batchLine = ({ device, frame, receivedAt, body: text }: Received): string => {
  const body = zlib.zstdCompressSync(text, COMPRESSION).toString('hex');
  return `${device}\t${frame.boot}\t${frame.seqFrom}\t${frame.seqTo}\t${receivedAt.toISOString()}\t${frame.prev}\t${frame.hash}\t${frame.events.length}\t\\\\x${body}\n`;
};

export const rowsOf = (received: Received): Rows => {
  const { events, ...frame } = received.frame;
  return {
    device: received.device,
    frame,
    events: events.length,
    batchRow: Buffer.from(batchLine(received)),
    eventRows: Buffer.from(eventLines(received)),
  };
};
