/**
 * A small control plane for stories: a real HTTP and WebSocket server, an organisation with real keys and signatures, and a record of everything that devices send.
 * It decides nothing by itself: a story says what is published, and may forge what it likes.
 */
import { randomBytes, randomInt } from 'node:crypto';
import http from 'node:http';
import { text } from 'node:stream/consumers';
import { Compile } from 'typebox/compile';
import { WebSocketServer, type WebSocket } from 'ws';
import type { BundleContent } from '@cordon/policy/effective.ts';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import { UpFrame, type DownFrame } from '@cordon/policy/protocol/channel.ts';
import {
  EnrollRequest,
  RekeyRequest,
  SessionRequest,
  type DeviceFacts,
  type DeviceJwk,
  type Join,
} from '@cordon/policy/protocol/enrollment.ts';
import { PROTOCOL_HEADER, SPOKEN } from '@cordon/policy/protocol/version.ts';
import { createWorld, payloadDigest, stateFor, type Fleet, type Forgery, type World as Organisation } from '@cordon/policy/trust/_world.ts';
import { skipOf, walkOf } from '@cordon/policy/trust/history.ts';
import { MAX_HEADERS, type HistoryFrame, type HistoryRequest } from '@cordon/policy/protocol/history.ts';
import { openCompact, openGeneral } from '@cordon/policy/trust/envelope.ts';
import { admit, keyPairFromSeed, thumbprint } from '@cordon/policy/trust/keys.ts';
import { formatToken } from '@cordon/policy/trust/token.ts';
import { freePort } from '../../../infra/free-port.ts';
import { policyText } from './_policy.ts';

export type FrameOf<T extends UpFrame['type']> = Extract<UpFrame, { type: T }>;

export interface ControlPlane {
  readonly url: string;
  readonly organisation: Organisation;
  /** Method and path of every request, in order. */
  readonly requests: readonly string[];
  /** Everything that devices sent on the channel, valid or not. */
  readonly frames: readonly UpFrame[];
  /** What was wrong with what devices sent. */
  readonly faults: readonly string[];
  /** A new enrollment token; its use may be spoiled. */
  token(change?: { readonly fingerprint?: string; readonly state?: 'used' | 'expired' }): string;
  /** Facts of the devices that enrolled, by device. */
  readonly enrolled: ReadonlyMap<string, DeviceFacts>;
  /** The next state has these policies, each what stands under `spec:`, or a whole document. */
  publish(...specs: readonly string[]): void;
  /** So many checkpoints that no device is shown. */
  pass(count: number): Promise<void>;
  /** Forgets the last checkpoints: what comes next stands in their place. */
  forget(count: number): void;
  /** A newer serial with the same policies. */
  renew(): void;
  /** Sends every connected device its state. */
  push(forgery?: Forgery): Promise<void>;
  /** Sends a frame, or anything else, as it is. */
  send(frame: DownFrame | string): void;
  /** Frames of a kind. */
  received<T extends UpFrame['type']>(type: T): FrameOf<T>[];
  /** Whether telemetry is acknowledged; at first it is. */
  acknowledging: boolean;
  /** Devices that enrol have to wait for an administrator, and those that connect get no state. */
  pending: boolean;
  /** The key that each device proves itself by, its thumbprint. */
  keys(): readonly string[];
  /** What devices signed to open their sessions. */
  readonly joins: readonly Join[];
  readonly connections: () => number;
  /** The network goes away, and comes back at the same address. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  /** It takes connections and says nothing any more, on those that are open neither. */
  hang(): void;
  stop(): Promise<void>;
}

const Up = Compile(UpFrame);
const Enroll = Compile(EnrollRequest);
const Session = Compile(SessionRequest);
const Rekey = Compile(RekeyRequest);
const newId = (prefix: string): string => `${prefix}_${randomBytes(12).toString('base64url')}`;
const soon = (): string => new Date(Date.now() + 60_000).toISOString();

class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string) {
    super(`refused: ${code}`);
    this.status = status;
    this.code = code;
  }
}

/** @param group its name, which devices show */
export const startControlPlane = async (group = 'All devices'): Promise<ControlPlane> => {
  const org = 'org_story';
  const organisation = await createWorld(org, { expiresAt: new Date(Date.now() + 365 * 86_400_000).toISOString() });
  const requests: string[] = [];
  const frames: UpFrame[] = [];
  const faults: string[] = [];
  const tokens = new Map<string, { readonly jwk: DeviceJwk; state: 'fresh' | 'used' | 'expired' }>();
  const devices: { readonly id: string; jwk: DeviceJwk }[] = [];
  const enrolled = new Map<string, DeviceFacts>();
  const nonces = new Map<string, string>();
  const tickets = new Map<string, number>();
  const joins: Join[] = [];
  const sockets = new Map<WebSocket, number>();
  let serial = 0;
  let content: BundleContent | undefined;
  let contentSerial = 0;

  const once = (store: Map<string, string>, key: string): string | undefined => {
    const value = store.get(key);
    store.delete(key);
    return value;
  };
  const challenge = (about: string): object => {
    const nonce = randomBytes(16).toString('base64url');
    nonces.set(nonce, about);
    return { nonce, expiresAt: soon() };
  };
  const enrol = async (body: unknown): Promise<object> => {
    if (!Enroll.Check(body)) throw new Refusal(400, 'request.invalid');
    const { jwk, statement } = body;
    const claimed = JSON.parse(Buffer.from((JSON.parse(statement) as { payload: string }).payload, 'base64url').toString()) as {
      token: string;
      nonce: string;
    };
    const token = tokens.get(claimed.token) ?? tokens.values().next().value;
    if (token === undefined || once(nonces, claimed.nonce) !== `${claimed.token} ${thumbprint(jwk)}`)
      throw new Refusal(401, 'enroll.refused');
    const keys = admit(token.jwk, jwk);
    const { payload, kids } = await openGeneral(statement, { typ: 'cordon-enroll+jws', keys, maxBytes: 16_384 });
    if (kids.size !== 2) throw new Refusal(401, 'enroll.refused');
    if (token.state !== 'fresh') throw new Refusal(403, `enroll.token-${token.state}`);
    token.state = 'used';
    const id = newId('dev');
    devices.push({ id, jwk });
    enrolled.set(id, (payload as { facts: DeviceFacts }).facts);
    return { device: id, memberIndex: devices.length - 1, org, ...(plane.pending && { pending: true }) };
  };
  const openSession = async (body: unknown): Promise<object> => {
    if (!Session.Check(body)) throw new Refusal(400, 'request.invalid');
    const index = devices.findIndex(({ id }) => id === body.device);
    const device = devices[index];
    if (device === undefined) throw new Refusal(401, 'session.refused');
    const keys = admit(device.jwk);
    const { payload } = await openCompact(body.proof, { typ: 'cordon-session+jws', keys, maxBytes: 4096 });
    const proof = payload as { org: string; device: string; nonce: string; join: Join };
    if (proof.org !== org || proof.device !== device.id || once(nonces, proof.nonce) !== device.id)
      throw new Refusal(401, 'session.refused');
    joins.push(proof.join);
    const ticket = randomBytes(16).toString('base64url');
    tickets.set(ticket, index);
    return { ticket, expiresAt: soon() };
  };
  const rekey = async (body: unknown): Promise<object> => {
    if (!Rekey.Check(body)) throw new Refusal(400, 'request.invalid');
    const device = devices.find(({ id }) => id === body.device);
    const keys = admit(body.from, body.to);
    const { payload, kids } = await openGeneral(body.statement, { typ: 'cordon-rekey+jws', keys, maxBytes: 8192 });
    const stated = payload as { device: string; nonce: string; from: string; to: string };
    if (device === undefined || kids.size !== 2 || stated.from !== thumbprint(device.jwk) || once(nonces, stated.nonce) !== device.id)
      throw new Refusal(401, 'rekey.refused');
    device.jwk = body.to;
    return { device: device.id, key: stated.to };
  };
  const routes: Readonly<Record<string, (body: unknown) => object | Promise<object>>> = {
    'GET /agent/v1/root': () => ({ org, roots: organisation.roots, floor: organisation.floor }),
    'POST /agent/v1/enroll/challenge': (body) => {
      const { token, jwk } = body as { token: string; jwk: DeviceJwk };
      return challenge(`${token} ${thumbprint(jwk)}`);
    },
    'POST /agent/v1/enroll': enrol,
    'POST /agent/v1/session/challenge': (body) => challenge((body as { device: string }).device),
    'POST /agent/v1/session': openSession,
    'POST /agent/v1/rekey/challenge': (body) => challenge((body as { device: string }).device),
    'POST /agent/v1/rekey': rekey,
  };
  const serve = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const name = `${request.method} ${request.url}`;
    requests.push(name);
    if (hangs) return;
    const body: unknown = request.method === 'POST' ? JSON.parse(await text(request)) : undefined;
    try {
      const route = routes[name];
      if (route === undefined) throw new Refusal(404, 'request.not-found');
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(await route(body)));
    } catch (error) {
      const { status, code } = error instanceof Refusal ? error : { status: 401, code: 'enroll.refused' };
      response.writeHead(status, { 'content-type': 'application/problem+json' });
      response.end(
        JSON.stringify({ type: `urn:cordon:problem:${code}`, title: 'Refused', status, code, detail: `the test refuses: ${code}` }),
      );
    }
  };
  const fleet = (): Fleet | undefined =>
    content && {
      serial,
      at: new Date(),
      cohorts: [{ id: 'coh_story', serial: contentSerial, content }],
      devices: devices.map(({ id }) => ({ id, cohort: 0 })),
    };
  /** Every checkpoint that was given in earnest, in one history. */
  const history: { readonly digest: string; readonly jws: string }[] = [];
  const giveNext = async (socket: Pick<WebSocket, 'send'>, index: number, forgery: Forgery): Promise<void> => {
    const published = fleet();
    if (published === undefined) return;
    const number = history.length;
    const chain = { number, previous: history.at(-1)?.digest ?? null, skip: history[skipOf(number)]?.digest ?? null };
    const { frame, membership } = await stateFor(organisation, { ...published, chain }, index, forgery);
    if (Object.keys(forgery).length === 0) history.push({ digest: payloadDigest(frame.checkpoint), jws: frame.checkpoint });
    socket.send(JSON.stringify(frame));
    socket.send(JSON.stringify(membership));
  };
  let turn: Promise<unknown> = Promise.resolve();
  const give = (socket: Pick<WebSocket, 'send'>, index: number, forgery: Forgery = {}): Promise<void> => {
    const given = turn.then(() => giveNext(socket, index, forgery));
    turn = given.catch(() => undefined);
    return given;
  };
  const walk = ({ digest, from, to }: HistoryRequest): HistoryFrame => ({
    type: 'history',
    digest,
    to,
    headers: walkOf(from, to, MAX_HEADERS).flatMap((place) => history[place]?.jws ?? []),
  });
  const wss = new WebSocketServer({ noServer: true, handleProtocols: () => 'cordon.v1' });
  wss.on('headers', (headers) => void headers.push(`${PROTOCOL_HEADER}: ${SPOKEN}`));
  const plane = {
    acknowledging: true,
    pending: false,
  };
  let hangs = false;
  const hear = (socket: WebSocket, index: number, data: string): void => {
    const frame: unknown = JSON.parse(data);
    if (!Up.Check(frame)) {
      faults.push(`not a frame: ${data.slice(0, 500)}`);
      return;
    }
    frames.push(frame);
    if (frame.type === 'hello' && plane.pending)
      socket.send(JSON.stringify({ type: 'problem', code: 'device.pending', detail: 'waits for an administrator' }));
    else if (frame.type === 'hello') void give(socket, index);
    if (frame.type === 'history') socket.send(JSON.stringify(walk(frame)));
    if (frame.type === 'telemetry' && plane.acknowledging)
      socket.send(JSON.stringify({ type: 'telemetry.ack', boot: frame.boot, seq: frame.seqTo }));
  };
  const open = (port: number): Promise<http.Server> => {
    const server = http.createServer((request, response) => {
      serve(request, response).catch((error: unknown) => {
        faults.push(String(error));
        response.destroy();
      });
    });
    server.on('upgrade', (request, socket, head) => {
      requests.push(`UPGRADE ${request.url}`);
      const ticket = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
      const index = tickets.get(ticket);
      tickets.delete(ticket);
      if (index === undefined || request.headers['sec-websocket-protocol'] !== 'cordon.v1')
        return void socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n');
      wss.handleUpgrade(request, socket, head, (channel) => {
        sockets.set(channel, index);
        channel.on('close', () => sockets.delete(channel));
        channel.on('error', () => undefined);
        channel.on('message', (data: Buffer) => hear(channel, index, data.toString('utf8')));
        channel.send(JSON.stringify({ type: 'welcome', session: 's', nonce: 'n', time: new Date().toISOString(), heartbeatSeconds: 25 }));
      });
    });
    return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)));
  };
  const port = await freePort(randomInt(12_000, 31_000));
  let server: http.Server | undefined = await open(port);
  const close = async (): Promise<void> => {
    for (const socket of sockets.keys()) socket.terminate();
    server?.closeAllConnections();
    await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
    server = undefined;
  };
  return Object.assign(plane, {
    url: `http://127.0.0.1:${port}`,
    organisation,
    requests,
    frames,
    faults,
    enrolled,
    joins,
    keys: () => devices.map(({ jwk }) => thumbprint(jwk)),
    token: ({ fingerprint = organisation.fingerprint, state }: { fingerprint?: string; state?: 'used' | 'expired' } = {}) => {
      const id = newId('ent');
      const seed = randomBytes(32);
      tokens.set(id, { jwk: keyPairFromSeed(seed).jwk, state: state ?? 'fresh' });
      return formatToken({ id, seed, fingerprint });
    },
    publish: (...specs: readonly string[]) => {
      serial += 1;
      contentSerial = serial;
      content = {
        format: 'cordon-bundle/1',
        language: 'cordon/v1',
        policies: specs
          .map((spec) => parsePolicy(spec.startsWith('apiVersion:') ? spec : policyText(spec)).document)
          .map((document, i) => ({
            policy: `pol_${i}`,
            name: document.metadata.name,
            revision: serial,
            document,
            because: [{ assignment: 'asg_1', group: 'grp_1', groupName: group }],
          })),
        exceptions: [],
      };
    },
    pass: async (count: number) => {
      for (let i = 0; i < count; i += 1) await give({ send: () => undefined }, 0);
    },
    forget: (count: number) => void history.splice(-count),
    renew: () => void (serial += 1),
    push: async (forgery: Forgery = {}) => {
      await Promise.all([...sockets].map(([socket, index]) => give(socket, index, forgery)));
    },
    send: (frame: DownFrame | string) => {
      for (const socket of sockets.keys()) socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
    },
    received: <T extends UpFrame['type']>(type: T): FrameOf<T>[] => frames.filter((frame): frame is FrameOf<T> => frame.type === type),
    connections: () => sockets.size,
    cut: close,
    hang: () => {
      hangs = true;
      for (const socket of sockets.keys()) socket.pause();
    },
    mend: async () => {
      hangs = false;
      server = await open(port);
    },
    stop: close,
  });
};
