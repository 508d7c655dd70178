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

interface Narrow {
  readonly verdict?: string;
  readonly rule?: string;
  readonly target?: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** What of an event questions are asked about; the rest is kept as detail. */
const narrow = (event: TelemetryEvent): Narrow => {
  switch (event.kind) {
    case 'run.started': {
      const { program, digest, parent, controls, attested } = event;
      return { target: program, detail: { digest, ...(parent !== undefined && { parent }), controls, attested } };
    }
    case 'run.ended':
      return { verdict: event.reason, detail: { exitCode: event.exitCode, durationMs: event.durationMs } };
    case 'launch.refused':
      return { verdict: 'denied', target: event.program, detail: { code: event.code } };
    case 'egress':
      return {
        verdict: event.verdict,
        rule: event.rule,
        target: `${event.host}:${event.port}`,
        detail: { policy: event.policy, ...(event.code !== undefined && { code: event.code }) },
      };
    case 'policy':
      return {
        verdict: event.state,
        target: event.digest,
        detail: {
          ...(event.epoch !== undefined && { epoch: event.epoch }),
          serial: event.serial,
          ...(event.code !== undefined && { code: event.code }),
        },
      };
    case 'selftest': {
      const { digest, passed, failed, result } = event;
      return { verdict: passed ? 'passed' : 'failed', target: digest, detail: { failed, result } };
    }
    case 'daemon': {
      const { state, assurance, after, code } = event;
      return { verdict: state, ...(code !== undefined && { target: code }), detail: { assurance, ...(after !== undefined && { after }) } };
    }
    case 'dropped':
      return { target: event.code, detail: { count: event.count } };
  }
};

/** JSON escapes NUL as \u0000, which jsonb refuses. */
const json = (value: object): string => copyText(JSON.stringify(value).replaceAll('\\u0000', '\uFFFD'));

const eventLines = ({ device, frame, receivedAt }: Received): string => {
  const head = `${device}\t${frame.boot}\t`;
  const received = receivedAt.toISOString();
  let lines = '';
  for (const event of frame.events) {
    const { verdict, rule, target, detail } = narrow(event);
    const who = 'run' in event ? `${copyText(event.run)}\t${copyText(event.agent)}\t${copyText(event.osUser)}` : '\\N\t\\N\t\\N';
    lines += `${head}${event.seq}\t${event.at}\t${received}\t${event.kind}\t${who}\t${copyText(verdict)}\t${copyText(rule)}\t${copyText(target)}\t${detail === undefined ? '\\N' : json(detail)}\n`;
  }
  return lines;
};

/** The fastest level is also the smallest on batches of similar events. */
const COMPRESSION = { params: { [zlib.constants.ZSTD_c_compressionLevel]: 1 } };

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
