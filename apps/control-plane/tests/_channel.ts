/** A device on the real channel of a test's control plane: enrolled over HTTP, connected by WebSocket, verifying what it gets. */
import { batchHash, FIRST_BATCH } from '@cordon/policy/protocol/batch.ts';
import type { DownFrame, MembershipFrame, StateFrame, TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import type { PackedState } from '@cordon/policy/protocol/packed.ts';
import type { TelemetryEvent } from '@cordon/policy/protocol/events.ts';
import { PROTOCOL, SUBPROTOCOL } from '@cordon/policy/protocol/version.ts';
import type { Join } from '@cordon/policy/protocol/enrollment.ts';
import { signCompact } from '@cordon/policy/trust/envelope.ts';
import type { KeyPair } from '@cordon/policy/trust/keys.ts';
import { verifyState, type Ratchet, type VerifiedState } from '@cordon/policy/trust/verify.ts';
import { expect } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import { enrolDevice, newKey, type TestPlane } from './_util.ts';

export interface Enrolled {
  readonly id: string;
  readonly memberIndex: number;
}

/** @param key the device's own, for a test that opens sessions by itself */
export const enrol = async (test: TestPlane, groupId?: string, key: KeyPair = newKey()): Promise<Enrolled> => {
  const token = await test.admin<{ token: string }>('POST', '/enrollment-tokens', {
    body: { name: 'test', ...(groupId !== undefined && { groupId }) },
  });
  const { status, body } = await enrolDevice(test, token.body.token, key);
  if (status !== 200) throw new Error(`enrollment answered ${status}: ${JSON.stringify(body)}`);
  return { id: body.device, memberIndex: body.memberIndex };
};

type Frame = DownFrame | PackedState;
export type FrameOf<T extends Frame['type']> = Extract<Frame, { type: T }>;

export interface TestChannel {
  /** The oldest frame of this kind that was not taken yet. */
  next<T extends Frame['type']>(type: T): Promise<FrameOf<T>>;
  /** Frames that nobody has taken. */
  readonly waiting: readonly Frame[];
  /** Takes all of them. */
  drain(): Frame[];
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

/** The line of sessions of each device that these tests play: the numbers of all grow together, and the marks never change. */
let sessions = 0;
const MARK = 'm'.repeat(22);
export const nextJoin = (): Join => ({ count: (sessions += 1), last: MARK, next: MARK });

/** @param generation of the device's key */
export const ticketOf = ({ plane }: TestPlane, device: string, generation = 1): string =>
  plane.context.tickets.issue({ device, generation, join: nextJoin() }).secret;

/** What a device sends to open a session. */
export const sessionProof = (test: TestPlane, device: string, nonce: string, key: KeyPair, join: Join = nextJoin()): Promise<string> =>
  signCompact({ org: test.plane.context.organisation.orgId, device, nonce, join }, 'cordon-session+jws', key);

/** Frames of a socket as they come. */
export const converse = (socket: WebSocket): TestChannel => {
  const waiting: Frame[] = [];
  const wanted: { type: string; resolve: (frame: Frame) => void }[] = [];
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })),
  );
  socket.on('error', () => undefined);
  socket.on('message', (data) => {
    const frame = JSON.parse((data as Buffer).toString('utf8')) as Frame;
    const index = wanted.findIndex(({ type }) => type === frame.type);
    if (index < 0) waiting.push(frame);
    else wanted.splice(index, 1)[0]?.resolve(frame);
  });
  return {
    waiting,
    drain: () => waiting.splice(0),
    closed,
    next: <T extends Frame['type']>(type: T) => {
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

export const connect = (test: TestPlane, device: string): TestChannel => converse(upgrade(test, ticketOf(test, device)));

/** What a device keeps of what it was sent. */
export interface Memory {
  state?: StateFrame;
  membership?: MembershipFrame;
  ratchet?: Ratchet;
}

/** Takes frames as a device does, each as it comes, until it can verify a state of this serial or a later one; acknowledges that. */
export const follow = async (
  test: TestPlane,
  device: Enrolled,
  channel: TestChannel,
  memory: Memory,
  serial: number,
): Promise<VerifiedState> => {
  let reached: VerifiedState | undefined;
  const look = async (): Promise<string> => {
    for (const frame of channel.drain()) {
      if (frame.type === 'state') memory.state = { ...frame, bundle: frame.bundle ?? memory.state?.bundle ?? null };
      if (frame.type === 'membership') memory.membership = frame;
    }
    const { state, membership } = memory;
    if (state === undefined || membership === undefined) return 'nothing yet';
    try {
      reached = await verify(test, device, state, membership, memory.ratchet);
    } catch (error) {
      // Of state and proof only one has come yet, or they are of two moments: the other follows.
      if (error instanceof CordonError && /^(cohort|member)\./.test(error.code)) return error.code;
      throw error;
    }
    memory.ratchet = reached.ratchet;
    return reached.serial >= serial ? 'reached' : `at ${reached.serial}`;
  };
  await expect.poll(look, { timeout: 10_000, interval: 10 }).toBe('reached');
  if (reached === undefined) throw new Error('unreachable');
  channel.send(ackOf(reached));
  return reached;
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
