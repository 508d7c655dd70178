/**
 * Simulated devices: raw sockets in a process of their own, so that the clients' price is small and the same for product and floor. They answer each
 * state with an acknowledgement without verifying it. Driven by messages from the benchmark.
 */
import net from 'node:net';
import { batchHash, FIRST_BATCH, ordered } from '@cordon/policy/protocol/batch.ts';
import type { TelemetryEvent } from '@cordon/policy/protocol/events.ts';
import { PROTOCOL, SUBPROTOCOL } from '@cordon/policy/protocol/version.ts';
import { maskedFrame, micros } from './wire.ts';

interface Device {
  readonly socket: net.Socket;
  rest: Buffer;
  seq: number;
  prev: string;
  batches: Buffer;
}

interface Connect {
  readonly port: number;
  readonly pool: string;
  readonly tickets: readonly string[];
  readonly hello: boolean;
}

const pools = new Map<string, Device[]>();
const HELLO = maskedFrame(
  JSON.stringify({ type: 'hello', protocol: PROTOCOL, boot: 'bench', agentVersion: '0.1.0', enforcing: null, checkpoint: null }),
);
const STATE = Buffer.from('{"type":"state"');
const TELEMETRY_ACK = Buffer.from('{"type":"telemetry.ack"');
const MEMBERSHIP = Buffer.from('{"type":"membership"');
const tell = (message: object): void => void process.send?.(message);

/** Members of a cohort get the same bytes: the answer to them is made once. */
const answers = new Map<string, Buffer>();
const answerTo = (payload: Buffer): Buffer => {
  const key = payload.toString('latin1', 0, 1200);
  const known = answers.get(key);
  if (known !== undefined) return known;
  const frame = JSON.parse(payload.toString()) as { checkpoint: string; cohort: { leaf: { digest: string } } };
  const { epoch, serial } = JSON.parse(Buffer.from(frame.checkpoint.split('.')[1] ?? '', 'base64url').toString()) as {
    epoch: number;
    serial: number;
  };
  const answer = maskedFrame(JSON.stringify({ type: 'ack', epoch, serial, digest: frame.cohort.leaf.digest, phase: 'enforced' }));
  if (answers.size > 100) answers.clear();
  answers.set(key, answer);
  return answer;
};

/** What is waited for: called once for each device. */
let onMembership = (): void => undefined;
let onTelemetryAck = (_payload: Buffer): void => undefined;

const begins = (payload: Buffer, text: Buffer): boolean =>
  payload.length >= text.length && payload.compare(text, 0, text.length, 0, text.length) === 0;

const receive = (device: Device, chunk: Buffer): void => {
  let data = device.rest.length === 0 ? chunk : Buffer.concat([device.rest, chunk]);
  for (;;) {
    const short = (data[1] ?? 0) & 127;
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (data.length < header) break;
    const size = short < 126 ? short : short === 126 ? data.readUInt16BE(2) : data.readUInt32BE(6);
    if (data.length < header + size) break;
    const payload = data.subarray(header, header + size);
    if (data[0] === 0x81) {
      if (begins(payload, STATE)) device.socket.write(answerTo(payload));
      else if (begins(payload, MEMBERSHIP)) onMembership();
      else if (begins(payload, TELEMETRY_ACK)) onTelemetryAck(payload);
    }
    data = data.subarray(header + size);
  }
  device.rest = data;
};

const open = ({ port, hello }: Connect, ticket: string): Promise<Device> =>
  new Promise((resolve, reject) => {
    const socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () =>
      socket.write(
        `GET /agent/v1/channel HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ${SUBPROTOCOL}\r\nAuthorization: Bearer ${ticket}\r\n\r\n`,
      ),
    );
    let head = Buffer.alloc(0);
    const onHead = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      if (!head.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) return reject(new Error(head.toString('latin1', 0, 300)));
      socket.off('data', onHead);
      const device: Device = { socket, rest: Buffer.alloc(0), seq: 0, prev: FIRST_BATCH, batches: Buffer.alloc(0) };
      socket.on('data', (data: Buffer) => receive(device, data));
      receive(device, head.subarray(end + 4));
      if (hello) socket.write(HELLO);
      resolve(device);
    };
    socket.on('data', onHead);
  });

const connect = async (order: Connect): Promise<void> => {
  const devices: Device[] = [];
  let placed = 0;
  const all = Promise.withResolvers<void>();
  onMembership = () => {
    placed += 1;
    if (placed === order.tickets.length) all.resolve();
  };
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let ticket = order.tickets[next++]; ticket !== undefined; ticket = order.tickets[next++]) devices.push(await open(order, ticket));
  };
  await Promise.all(Array.from({ length: 128 }, worker));
  if (order.hello) await all.promise;
  pools.set(order.pool, devices);
  tell({ op: 'connect', connected: devices.length });
};

const eventOf = (seq: number): TelemetryEvent =>
  ordered({
    seq,
    at: new Date().toISOString(),
    kind: 'egress',
    run: `run_${(seq >> 4).toString(36).padStart(12, '0')}`,
    agent: 'claude-code',
    osUser: 'developer',
    verdict: seq % 17 === 0 ? 'denied' : 'allowed',
    host: `host-${seq % 97}.example.com`,
    port: 443,
    rule: `r_${(seq % 40).toString(16).padStart(12, '0')}`,
    policy: 'coding-agents',
  });

/** Makes what the next `send` sends, outside the measured time. */
const prepare = ({ pool, batches, events }: { readonly pool: string; readonly batches: number; readonly events: number }): void => {
  for (const device of pools.get(pool) ?? []) {
    const frames: Buffer[] = [];
    for (let i = 0; i < batches; i += 1) {
      const seqFrom = device.seq + 1;
      const batch = {
        boot: 'bench',
        seqFrom,
        seqTo: device.seq + events,
        prev: device.prev,
        events: Array.from({ length: events }, (_, k) => eventOf(seqFrom + k)),
      };
      const hash = batchHash(batch);
      frames.push(maskedFrame(JSON.stringify({ type: 'telemetry', ...batch, hash })));
      device.seq = batch.seqTo;
      device.prev = hash;
    }
    device.batches = Buffer.concat(frames);
  }
  tell({ op: 'prepare' });
};

const send = ({ pool }: { readonly pool: string }): void => {
  const devices = pools.get(pool) ?? [];
  let done = 0;
  const wanted = devices[0]?.seq ?? 0;
  onTelemetryAck = (payload) => {
    if ((JSON.parse(payload.toString()) as { seq: number }).seq === wanted && ++done === devices.length)
      tell({ op: 'send', end: micros() });
  };
  for (const device of devices) device.socket.write(device.batches);
};

process.on('message', (message: { op: string }) => {
  if (message.op === 'connect') void connect(message as Connect & { op: string });
  else if (message.op === 'prepare') prepare(message as { op: string; pool: string; batches: number; events: number });
  else if (message.op === 'send') send(message as { op: string; pool: string });
});
