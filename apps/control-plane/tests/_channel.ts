/** A device on the real channel of a test's control plane: enrolled over HTTP, connected by WebSocket, verifying what it gets. */
import { batchHash, FIRST_BATCH } from '@cordon/policy/protocol/batch.ts';
import type { DownFrame, MembershipFrame, StateFrame, TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import type { TelemetryEvent } from '@cordon/policy/protocol/events.ts';
import { PROTOCOL, SUBPROTOCOL } from '@cordon/policy/protocol/version.ts';
import { verifyState, type Ratchet, type VerifiedState } from '@cordon/policy/trust/verify.ts';
import { WebSocket, type ClientOptions } from 'ws';
import { enrolDevice, newKey, type TestPlane } from './_util.ts';

export interface Enrolled {
  readonly id: string;
  readonly memberIndex: number;
}

export const enrol = async (test: TestPlane, groupId?: string): Promise<Enrolled> => {
  const token = await test.admin<{ token: string }>('POST', '/enrollment-tokens', {
    body: { name: 'test', ...(groupId !== undefined && { groupId }) },
  });
  const { status, body } = await enrolDevice(test, token.body.token, newKey());
  if (status !== 200) throw new Error(`enrollment answered ${status}: ${JSON.stringify(body)}`);
  return { id: body.device, memberIndex: body.memberIndex };
};

export type FrameOf<T extends DownFrame['type']> = Extract<DownFrame, { type: T }>;

export interface TestChannel {
  /** The oldest frame of this kind that was not taken yet. */
  next<T extends DownFrame['type']>(type: T): Promise<FrameOf<T>>;
  /** Frames that nobody has taken. */
  readonly waiting: readonly DownFrame[];
  send(frame: object | string | Buffer): void;
  readonly closed: Promise<{ code: number; reason: string }>;
  close(): void;
}

export const upgrade = (
  test: TestPlane,
  ticket: string,
  options: ClientOptions & { readonly protocol?: string; readonly path?: string } = {},
): WebSocket =>
  new WebSocket(new URL(options.path ?? '/agent/v1/channel', test.plane.deviceUrl.replace('http', 'ws')), options.protocol ?? SUBPROTOCOL, {
    perMessageDeflate: false,
    ...options,
    headers: { authorization: `Bearer ${ticket}`, ...options.headers },
  });

export const ticketOf = ({ plane }: TestPlane, device: string): string => plane.context.tickets.issue(device).secret;

export const connect = (test: TestPlane, device: string): TestChannel => {
  const socket = upgrade(test, ticketOf(test, device));
  const waiting: DownFrame[] = [];
  const wanted: { type: string; resolve: (frame: DownFrame) => void }[] = [];
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })),
  );
  socket.on('error', () => undefined);
  socket.on('message', (data) => {
    const frame = JSON.parse((data as Buffer).toString('utf8')) as DownFrame;
    const index = wanted.findIndex(({ type }) => type === frame.type);
    if (index < 0) waiting.push(frame);
    else wanted.splice(index, 1)[0]?.resolve(frame);
  });
  return {
    waiting,
    closed,
    next: <T extends DownFrame['type']>(type: T) => {
      const index = waiting.findIndex((frame) => frame.type === type);
      const taken = index < 0 ? undefined : waiting.splice(index, 1)[0];
      if (taken !== undefined) return Promise.resolve(taken as FrameOf<T>);
      return new Promise<FrameOf<T>>((resolve, reject) => {
        wanted.push({ type, resolve: (frame) => resolve(frame as FrameOf<T>) });
        void closed.then(({ code, reason }) => reject(new Error(`closed with ${code} ${reason} while waiting for ${type}`)));
      });
    },
    send: (frame) => socket.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame)),
    close: () => socket.close(),
  };
};

export const hello = (enforcing: object | null = null): object => ({
  type: 'hello',
  protocol: PROTOCOL,
  boot: 'boot-1',
  agentVersion: '0.1.0',
  enforcing,
  checkpoint: null,
});

export const verify = (
  { plane }: TestPlane,
  device: Enrolled,
  frame: StateFrame,
  membership: MembershipFrame,
  ratchet: Ratchet = { epoch: 0, serial: 0, member: 0 },
): Promise<VerifiedState> => {
  const { organisation, clock } = plane.context;
  return verifyState({
    frame,
    membership,
    roots: organisation.roots,
    fingerprint: organisation.fingerprint,
    floor: organisation.floor,
    device: { ...device, org: organisation.orgId },
    ratchet,
    now: clock(),
    receipt: true,
  });
};

export const ackOf = ({ epoch, serial, digest }: VerifiedState): object => ({ type: 'ack', epoch, serial, digest, phase: 'enforced' });

/** A batch of denials that follows another. */
export const batchAfter = (before: TelemetryFrame | undefined, count = 3, host = 'evil.example'): TelemetryFrame => {
  const seqFrom = before === undefined ? 1 : before.seqTo + 1;
  const events = Array.from({ length: count }, (_, i): TelemetryEvent => ({
    seq: seqFrom + i,
    at: '2026-11-23T10:00:00.000Z',
    kind: 'egress',
    run: 'run_1',
    agent: 'claude-code',
    osUser: 'dev',
    verdict: 'denied',
    host,
    port: 443,
    rule: 'default',
    policy: '',
  }));
  const batch = { boot: 'boot-1', seqFrom, seqTo: seqFrom + count - 1, prev: before?.hash ?? FIRST_BATCH, events };
  return { type: 'telemetry', ...batch, hash: batchHash(batch) };
};
