import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { CordonError } from '@cordon/policy/errors.ts';
import type { DeviceJwk } from '@cordon/policy/protocol/enrollment.ts';
import { createWorld } from '@cordon/policy/trust/_world.ts';
import { openGeneral } from '@cordon/policy/trust/envelope.ts';
import { admit, keyPairFromSeed, thumbprint } from '@cordon/policy/trust/keys.ts';
import { formatToken } from '@cordon/policy/trust/token.ts';
import { cutAt, LOSSES } from '../_power-cut.ts';
import { STRAIGHT, type Network } from '../network/network.ts';
import { loadDeviceKey } from './device-key.ts';
import { enroll } from './enroll.ts';
import { loadEnrollment } from './enrollment.ts';
import { deviceFacts } from './facts.ts';

const now = new Date('2026-11-24T10:00:00.000Z');
const world = await createWorld('org_1', { expiresAt: '2036-11-24T10:00:00.000Z' });
const seed = randomBytes(32);
const token = formatToken({ id: `ent_${'t'.repeat(20)}`, seed, fingerprint: world.fingerprint });
const tokenKey = keyPairFromSeed(seed);

let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-enroll-'))));
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(folder, { recursive: true, force: true });
});

/** What the control plane answers. */
let answering: (url: URL, body: string | undefined) => Promise<Response>;
const network: Network = {
  ...STRAIGHT,
  request: async (url, { body }) => {
    const answer = await answering(url, typeof body === 'string' ? body : undefined);
    return { status: answer.status, headers: {}, body: Buffer.from(await answer.arrayBuffer()) };
  },
};

/** A control plane that lets one key in with the token. `lose`: what is lost on the way of the next calls. */
class Server {
  readonly devices = new Map<string, string>();
  lose: ('nothing' | 'request' | 'answer')[] = [];
  /** What it says of itself, where that is not the truth. */
  root: object = {};
  readonly asked: string[] = [];
  constructor() {
    answering = async (url, body) => {
      const lost = this.lose.shift();
      this.asked.push(url.pathname);
      if (lost === 'request') throw new TypeError('fetch failed');
      const answer = await this.answer(url.pathname, JSON.parse(body ?? '{}') as object);
      if (lost === 'answer') throw new TypeError('fetch failed');
      return answer;
    };
  }
  async answer(place: string, { jwk, statement = '' }: { jwk?: DeviceJwk; statement?: string }): Promise<Response> {
    if (place.endsWith('/root')) return Response.json({ org: 'org_1', roots: world.roots, floor: world.floor, ...this.root });
    if (place.endsWith('/challenge')) return Response.json({ nonce: 'n'.repeat(22), expiresAt: now.toISOString() });
    if (jwk === undefined) throw new Error('no key');
    const kid = thumbprint(jwk);
    const keys = admit(tokenKey.jwk, jwk);
    expect((await openGeneral(statement, { typ: 'cordon-enroll+jws', keys, maxBytes: 16_384 })).kids.size).toBe(2);
    if (!this.devices.has(kid) && this.devices.size > 0)
      return Response.json({ code: 'enroll.token-used', detail: 'used' }, { status: 403 });
    const device = this.devices.get(kid) ?? `dev_${randomBytes(15).toString('base64url')}`;
    this.devices.set(kid, device);
    return Response.json({ device, memberIndex: 0, org: 'org_1' });
  }
}
const join = (): ReturnType<typeof enroll> =>
  enroll({ stateDir: folder, server: 'https://cordon.example', token, facts: deviceFacts(), now, means: { network } });
const isUnreachable = (error: unknown): void => {
  if (!(error instanceof CordonError && error.code === 'server.unreachable')) throw error;
};

it('cut off at any write, with any message lost, a device of a token of one use joins at the next start, as the one that it was', async () => {
  const losses: Server['lose'][] = [
    [],
    ['answer'],
    ['nothing', 'answer'],
    ['nothing', 'nothing', 'request'],
    ['nothing', 'nothing', 'answer'],
  ];
  for (const loss of LOSSES)
    for (const lost of losses)
      for (let step = 0, cut = true; cut; step += 1) {
        for (const name of fs.readdirSync(folder)) fs.rmSync(path.join(folder, name));
        const server = new Server();
        server.lose = [...lost];
        cut = await cutAt(step, loss, () => join().catch(isUnreachable));
        server.lose = [];
        const where = `${loss}, ${lost.join(' ')}, step ${step}`;
        const enrollment = loadEnrollment(folder) ?? (await join());
        expect(server.devices, where).toEqual(new Map([[loadDeviceKey(folder).kid, enrollment.device]]));
        expect(loadEnrollment(folder), where).toEqual(enrollment);
        vi.restoreAllMocks();
      }
});

it('keeps the root and the floor that it has verified, and tells nobody its key who shows others', async () => {
  const server = new Server();
  const other = await createWorld('org_2', { expiresAt: '2036-11-24T10:00:00.000Z' });
  for (const [root, code] of [
    [{ floor: other.floor }, 'floor.threshold'],
    [{ floor: world.floor.replace('eyJ', 'eyK') }, 'jws.signature'],
    [{ floor: '' }, 'json.refused'],
    [{ roots: other.roots }, 'root.fingerprint'],
    [{ roots: [] }, 'server.reply'],
    [{ org: 'org_3' }, 'root.org'],
  ] as const) {
    server.root = root;
    const { code: said } = await join().then(
      () => ({ code: 'joined' }),
      (error: unknown) => error as CordonError,
    );
    expect(said).toBe(code);
  }
  expect(new Set(server.asked)).toEqual(new Set(['/agent/v1/root']));
  expect(fs.readdirSync(folder)).toEqual([]);
  server.root = {};
  await join();
  expect(loadEnrollment(folder)).toMatchObject({ roots: world.roots, floor: world.floor, fingerprint: world.fingerprint });
});
