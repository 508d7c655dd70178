import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CordonError } from '@cordon/policy/errors.ts';
import type { DeviceJwk } from '@cordon/policy/protocol/enrollment.ts';
import { openGeneral } from '@cordon/policy/trust/envelope.ts';
import { admit, thumbprint } from '@cordon/policy/trust/keys.ts';
import { cutAt, LOSSES } from '../_power-cut.ts';
import { STRAIGHT, type Network } from '../network/network.ts';
import { ensureDeviceKey, hasNextKey, loadDeviceKey } from './device-key.ts';
import type { Enrollment } from './enrollment.ts';
import { finishRotation, rotate, type RotationParts } from './rotation.ts';

const now = (): Date => new Date('2026-11-24T10:00:00.000Z');
const enrollment: Enrollment = {
  server: 'https://cordon.example',
  org: 'org_1',
  device: `dev_${'x'.repeat(20)}`,
  memberIndex: 0,
  fingerprint: 'f',
  roots: [],
  floor: '',
};

let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-rotation-'))));
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

/** The control plane's side of it: which key is in force, and which were. `lose`: what is lost on the way, request or answer, of how many next calls. */
class Server {
  current: string;
  readonly former = new Set<string>();
  lose: ('request' | 'answer')[] = [];
  refuse: string | undefined;
  #nonce = '';

  constructor(current: string) {
    this.current = current;
    answering = async (url, sent) => {
      const lost = this.lose.shift();
      if (lost === 'request') throw new TypeError('fetch failed');
      const body = JSON.parse(sent ?? '') as { from: DeviceJwk; to: DeviceJwk; statement: string };
      const answer = url.pathname.endsWith('/challenge') ? this.challenge() : await this.rekey(body);
      if (lost === 'answer') throw new TypeError('fetch failed');
      return answer;
    };
  }
  challenge(): Response {
    this.#nonce = randomBytes(16).toString('base64url');
    return Response.json({ nonce: this.#nonce, expiresAt: '2026-11-24T10:01:00.000Z' });
  }
  async rekey({ from, to, statement }: { from: DeviceJwk; to: DeviceJwk; statement: string }): Promise<Response> {
    if (this.refuse !== undefined) return Response.json({ code: this.refuse, detail: 'refused' }, { status: 409 });
    const keys = admit(from, to);
    const { payload, kids } = await openGeneral(statement, { typ: 'cordon-rekey+jws', keys, maxBytes: 8192 });
    const [before, next] = [thumbprint(from), thumbprint(to)];
    expect(payload).toEqual({ org: 'org_1', device: enrollment.device, nonce: this.#nonce, from: before, to: next });
    expect(kids).toEqual(new Set([before, next]));
    if (this.current === before) {
      this.current = next;
      this.former.add(before);
    } else if (this.current !== next || !this.former.has(before)) {
      return Response.json({ code: 'rekey.refused', detail: 'refused' }, { status: 401 });
    }
    return Response.json({ device: enrollment.device, key: next });
  }
}

const parts = (): RotationParts => ({ stateDir: folder, enrollment, now, network, signal: new AbortController().signal });

describe('the rotation of the device key', () => {
  it('ends with a new key on both sides, and nothing left of it', async () => {
    const before = ensureDeviceKey(folder, now());
    const server = new Server(before.kid);
    const after = await rotate(parts());
    expect(after.kid).not.toBe(before.kid);
    expect([server.current, loadDeviceKey(folder).kid, hasNextKey(folder)]).toEqual([after.kid, after.kid, false]);
    expect(after.madeAt).toEqual(now());
    expect(fs.readdirSync(folder)).toEqual(['device-key']);
  });

  it.each([['request'], ['answer'], ['nothing', 'request'], ['nothing', 'answer']])(
    'goes on with the same key after a loss: %s %s',
    async (...losses) => {
      const before = ensureDeviceKey(folder, now());
      const server = new Server(before.kid);
      server.lose = losses as Server['lose'];
      await expect(rotate(parts())).rejects.toThrow(expect.objectContaining({ code: 'server.unreachable' }));
      const next = fs.readFileSync(path.join(folder, 'device-key-next'), 'utf8');
      const after = await finishRotation(parts());
      expect([server.current, fs.readFileSync(path.join(folder, 'device-key'), 'utf8')]).toEqual([after.kid, next]);
    },
  );

  it('cut off at any write, with any answer lost, ends after the next start with one key on both sides', async () => {
    for (const loss of LOSSES)
      for (const lost of [[], ['nothing', 'answer'], ['nothing', 'request']])
        for (let step = 0, cut = true; cut; step += 1) {
          for (const name of fs.readdirSync(folder)) fs.rmSync(path.join(folder, name));
          const before = ensureDeviceKey(folder, now());
          const server = new Server(before.kid);
          server.lose = lost as Server['lose'];
          cut = await cutAt(step, loss, () =>
            rotate(parts()).catch((error: unknown) => {
              if (!(error instanceof CordonError && error.code === 'server.unreachable')) throw error;
            }),
          );
          server.lose = [];
          const where = `${loss}, ${lost.join(' ')}, step ${step}`;
          // What is on disk proves this device still, whichever key the other side has.
          const after = await finishRotation(parts());
          expect([server.current, loadDeviceKey(folder).kid], where).toEqual([after.kid, after.kid]);
          expect(hasNextKey(folder), where).toBe(false);
          vi.restoreAllMocks();
        }
  });

  it('that is refused leaves the key as it is; another device has the next one: it is forgotten', async () => {
    const before = ensureDeviceKey(folder, now());
    const server = new Server(before.kid);
    server.refuse = 'rekey.refused';
    await expect(rotate(parts())).rejects.toThrow(expect.objectContaining({ code: 'rekey.refused' }));
    expect([loadDeviceKey(folder).kid, hasNextKey(folder)]).toEqual([before.kid, true]);
    server.refuse = 'rekey.key-known';
    await expect(rotate(parts())).rejects.toThrow(expect.objectContaining({ code: 'rekey.key-known' }));
    expect([loadDeviceKey(folder).kid, hasNextKey(folder)]).toEqual([before.kid, false]);
  });

  it('believes no answer about another key', async () => {
    const before = ensureDeviceKey(folder, now());
    const server = new Server(before.kid);
    vi.spyOn(server, 'rekey').mockImplementation(async () => Response.json({ device: enrollment.device, key: 'A'.repeat(43) }));
    await expect(rotate(parts())).rejects.toThrow(expect.objectContaining({ code: 'server.reply' }));
    expect(loadDeviceKey(folder).kid).toBe(before.kid);
  });
});
