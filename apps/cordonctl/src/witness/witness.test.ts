import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { forkOf, linkTo, payloadAfter, chainOf } from '@cordon/policy/trust/_chain.ts';
import { after, createWorld, keyNamed, keysFor, rolesWithWitnesses, type World } from '@cordon/policy/trust/_world.ts';
import { signCompact } from '@cordon/policy/trust/envelope.ts';
import { nextRoot, signRoot } from '@cordon/policy/trust/founding.ts';
import type { Link } from '@cordon/policy/trust/history.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { openCosignature } from '@cordon/policy/trust/witness.ts';
import { demandNext, TwoHistories } from './history.ts';
import type { HistoryServer } from './server.ts';
import { openState } from './state.ts';
import { startWitness, type Witness } from './witness.ts';

const [key, another] = keysFor('org_a', 'witness') as [ReturnType<typeof keyNamed>, ReturnType<typeof keyNamed>];
const signer = keysFor('org_a', 'checkpoint')[0] ?? keyNamed('none');
const signed = async (links: readonly Link[], by = signer): Promise<Link[]> =>
  Promise.all(links.map(async (link) => ({ ...link, jws: await signCompact(link.payload, 'cordon-checkpoint+jws', by) })));

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-witness-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true }));
});

/** A control plane that shows what it is told to. */
const serverOf = (world: World) => {
  const shown = { links: [] as Link[], roots: world.roots, page: 5, cosigned: [] as [string, string][], asked: [] as number[] };
  const server: HistoryServer = {
    onwards: async (epoch, number, wait) => {
      shown.asked.push(wait);
      const all = shown.links.filter(({ payload }) => payload.epoch > epoch || (payload.epoch === epoch && payload.number >= number));
      return {
        items: all.slice(0, shown.page).map(({ payload, digest, jws }) => ({ ...payload, digest, jws, witnesses: [] })),
        roots: shown.roots.length,
        demanded: 2,
        more: all.length > shown.page,
      };
    },
    roots: async () => ({ org: 'org_a', roots: shown.roots }),
    cosign: async (digest, cosignature) => ({ cosigned: shown.cosigned.push([digest, cosignature]), demanded: 2 }),
  };
  return { shown, server };
};
const world = await createWorld('org_a', { roles: rolesWithWitnesses('org_a') });
const start = async (server: HistoryServer, said: string[] = [], by = key, fingerprint?: string): Promise<Witness & { close(): void }> => {
  const state = openState(path.join(folder, 'state'));
  onTestFinished(state.close);
  try {
    return {
      ...(await startWitness({ server, state, key: by, fingerprint, now: () => after(0), say: (text) => void said.push(text) })),
      close: state.close,
    };
  } catch (error) {
    state.close();
    throw error;
  }
};
const all = async (witness: Witness): Promise<void> => {
  while (await witness.step(25)) continue;
};
const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'followed',
    (error: unknown) => (error as { code: string }).code,
  );

describe('a witness', () => {
  it('follows page by page, cosigns the newest and nothing else, and goes on after a restart', async () => {
    const { shown, server } = serverOf(world);
    const chain = await signed(chainOf(30));
    shown.links = chain.slice(0, 12);
    const first = await start(server);
    await all(first);
    expect(first.newest()?.digest).toBe(chain[11]?.digest);
    expect(shown.cosigned.map(([digest]) => digest)).toEqual([chain[11]?.digest]);
    const payload = chain[11]?.payload;
    if (payload === undefined) throw new Error('no checkpoint');
    expect(await openCosignature(shown.cosigned[0]?.[1] ?? '', chain[11]?.digest ?? '', payload, new Map([[key.kid, key.jwk]]))).toBe(
      key.kid,
    );
    first.close();
    shown.links = chain;
    const second = await start(server);
    expect(second.newest()?.digest).toBe(chain[11]?.digest);
    shown.asked = [];
    await all(second);
    expect(second.newest()?.digest).toBe(chain[29]?.digest);
    // What it is asked first is answered at once: it may be another history.
    expect(shown.asked[0]).toBe(0);
    expect(shown.asked.slice(1)).toEqual(shown.asked.slice(1).map(() => 25));
  });

  it('only watches with a key that the root does not name', async () => {
    const { shown, server } = serverOf(world);
    shown.links = await signed(chainOf(3));
    const said: string[] = [];
    await all(await start(server, said, keyNamed('stranger')));
    expect([shown.cosigned, said.join()]).toEqual([[], expect.stringContaining('only watches') as unknown]);
  });

  it.each<readonly [string, string, (chain: readonly Link[]) => readonly Link[]]>([
    ['another checkpoint in the place of its own', 'witness.fork', (chain) => forkOf(chain, 5)],
    ['a later one that does not follow', 'witness.fork', (chain) => forkOf(chain, 10)],
    ['a history that ends before', 'witness.rollback', (chain) => chain.slice(0, 6)],
    ['a gap', 'witness.gap', (chain) => [...chain.slice(0, 11), ...chain.slice(13)]],
    ['what came before is not kept any more', 'witness.gap', (chain) => chain.slice(12)],
    ['fewer members', 'witness.shrink', (chain) => follows(chain, { members: { size: 1, root: sha256Hex('x') } })],
    ['an audit log that went back', 'witness.audit', (chain) => follows(chain, { audit: { seq: 3, head: sha256Hex('x') } })],
    ['a serial that fell', 'witness.serial', (chain) => follows(chain, { serial: 0 })],
    ['an epoch that the root did not raise', 'witness.epoch', (chain) => [...chain.slice(0, 11), linkTo(payloadAfter([], { epoch: 4 }))]],
  ])('refuses %s, and signs nothing, also after a restart', async (_name, code, change) => {
    const { shown, server } = serverOf(world);
    shown.page = 100;
    const chain = await signed(chainOf(20));
    shown.links = chain.slice(0, 11);
    const first = await start(server);
    await all(first);
    const [before, cosigned] = [fs.readFileSync(path.join(folder, 'state/witness.json'), 'utf8'), shown.cosigned.length];
    shown.links = await signed(change(chain));
    expect(await codeOf(all(first))).toBe(code);
    first.close();
    expect(await codeOf(start(server).then(all))).toBe(code);
    expect([fs.readFileSync(path.join(folder, 'state/witness.json'), 'utf8'), shown.cosigned.length]).toEqual([before, cosigned]);
  });

  it('refuses what the organisation did not sign', async () => {
    const { shown, server } = serverOf(world);
    shown.links = await signed(chainOf(3), keyNamed('thief'));
    expect(await codeOf(start(server).then(all))).toBe('jws.key');
  });

  it('goes on into an epoch that the root raised, with keys that it named', async () => {
    const { shown, server } = serverOf(world);
    const chain = await signed(chainOf(4));
    shown.links = chain;
    const witness = await start(server);
    await all(witness);
    const rotated = keyNamed('rotated');
    const root = nextRoot(world.root, {
      role: 'checkpoint',
      keys: { threshold: 1, keys: [rotated.jwk] },
      raiseEpoch: true,
      expiresAt: after(1e12),
    });
    shown.roots = [...world.roots, await signRoot(root, keysFor('org_a', 'root'))];
    const begun = await signed([linkTo(payloadAfter([], { epoch: 4, serial: 1 }))], rotated);
    shown.links = [...chain, ...begun];
    await all(witness);
    expect(witness.newest()?.digest).toBe(begun[0]?.digest);
    shown.links = [...chain, ...(await signed([linkTo(payloadAfter([], { epoch: 4, serial: 2 }))], rotated))];
    expect(await codeOf(all(witness))).toBe('witness.fork');
  });

  it('follows one organisation, by the fingerprint that it was given', async () => {
    const { shown, server } = serverOf(world);
    shown.links = await signed(chainOf(2));
    expect(await codeOf(start(server, [], key, 'x'.repeat(43)))).toBe('root.fingerprint');
    const first = await start(server, [], key, world.fingerprint);
    await all(first);
    first.close();
    expect(await codeOf(start(server, [], key, 'x'.repeat(43)))).toBe('witness.other-organisation');
    const stranger = serverOf(await createWorld('org_a', { expiresAt: after(7e10).toISOString() }));
    expect(await codeOf(start(stranger.server, [], another))).toBe('root.fingerprint');
  });

  it('does not begin with a state that is damaged, or in use', async () => {
    const state = openState(path.join(folder, 'state'));
    expect(() => openState(path.join(folder, 'state'))).toThrow(expect.objectContaining({ code: 'witness.in-use' }));
    state.close();
    fs.writeFileSync(path.join(folder, 'state/witness.json'), '{"format":"cordon-witness-state/1"}');
    const { server } = serverOf(world);
    expect(await codeOf(start(server))).toBe('witness.state');
  });
});

const follows = (chain: readonly Link[], change: object): readonly Link[] => [
  ...chain.slice(0, 11),
  linkTo(payloadAfter(chain.slice(0, 11), change)),
];

describe('what a witness demands of the next checkpoint', () => {
  const chain = chainOf(8);
  const at = (number: number): Link => chain[number] ?? linkTo(payloadAfter([]));

  it('is that it follows, and the evidence is both', () => {
    expect(() => demandNext(at(3), at(4), 3)).not.toThrow();
    const other = forkOf(chain, 4)[4] ?? at(4);
    try {
      demandNext(at(4), other, 3);
    } catch (error) {
      expect(error).toBeInstanceOf(TwoHistories);
      expect((error as TwoHistories).finding).toEqual({ earlier: at(4), later: other });
      return;
    }
    throw new Error('it was taken');
  });

  it.each([
    ['an older one', 3, 2],
    ['one with others between', 3, 5],
  ])('is not %s', (_name, newest, next) => {
    expect(() => demandNext(at(newest), at(next), 3)).toThrow(expect.objectContaining({ code: 'witness.gap' }));
  });

  it.each<readonly [string, object, number]>([
    ['that the root did not raise', {}, 3],
    ['in the middle', { number: 1 }, 4],
    ['with a predecessor', { previous: sha256Hex('x') }, 4],
    ['that is over', { epoch: 2 }, 4],
  ])('is no epoch %s', (_name, change, rootEpoch) => {
    const next = linkTo(payloadAfter([], { epoch: 4, ...change }));
    expect(() => demandNext(at(3), next, rootEpoch)).toThrow(expect.objectContaining({ code: 'witness.epoch' }));
  });
});
