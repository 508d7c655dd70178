import { describe, expect, it } from 'vitest';
import { after, createWorld, DAY, keysFor } from '../trust/_world.ts';
import { canonicalJson } from '../trust/canonical-json.ts';
import { sha256Hex } from '../trust/digest.ts';
import { readInspection, type Database, type Inspection } from './facts.ts';
import { situationOf } from './situation.ts';

const world = await createWorld('org_recovery');
const kid = (role: 'policy' | 'checkpoint' | 'identity'): string => keysFor(world.org, role)[0]?.kid ?? '';
const keys = { policy: kid('policy'), checkpoint: kid('checkpoint'), identity: kid('identity') };
const { epoch } = world.root;
const database: Database = {
  org: world.org,
  fingerprint: world.fingerprint,
  roots: [...world.roots],
  floor: world.floor,
  newest: { epoch, serial: 7 },
  standing: null,
  audit: { seq: 5, hash: 'a'.repeat(64) },
  devices: 3,
  owners: 1,
};
const whole: Inspection = {
  format: 'cordon-inspection/1',
  stateDir: '/state',
  running: true,
  signer: { keys, mark: { epoch, serial: 7 }, closed: false },
  database,
};
const trouble = { code: 'x.y', message: 'why' };
const codeOf = async (change: Partial<Inspection>, now = after(DAY)): Promise<string> =>
  (await situationOf({ ...whole, ...change }, now)).code;
const signer = (change: Partial<Inspection['signer']>): Partial<Inspection> => ({ signer: { ...whole.signer, ...change } });
const db = (change: Partial<Database>): Partial<Inspection> => ({ database: { ...database, ...change } });

describe('what an installation needs', () => {
  it('is nothing when all of it fits', async () => {
    expect(await codeOf({})).toBe('whole');
    expect(await codeOf({ running: false })).toBe('whole');
    expect(readInspection(JSON.parse(JSON.stringify(whole)))).toEqual(whole);
    expect(readInspection({ ...whole, secret: 1 })).toBeUndefined();
  });

  it.each<readonly [code: string, change: Partial<Inspection>]>([
    ['database-unreachable', { database: trouble }],
    ['nothing-here', { database: null, ...signer({ keys: null, mark: null }) }],
    ['database-lost', { database: null }],
    ['signer-lost', signer({ keys: null })],
    ['signer-lost', signer({ keys: trouble })],
    ['signer-lost', signer({ mark: trouble })],
    ['signer-unknown', signer({ keys: { ...keys, checkpoint: 'k'.repeat(43) } })],
    ['signer-unknown', signer({ keys: { ...keys, policy: 'k'.repeat(43) } })],
    ['roots-behind', signer({ mark: { epoch: epoch + 1, serial: 0 } })],
    ['roots-behind', signer({ mark: { epoch: epoch + 1, serial: 9 }, closed: true })],
    ['epoch-closed', signer({ mark: { epoch, serial: 9 }, closed: true })],
    ['one-ahead', signer({ mark: { epoch, serial: 8 } })],
    ['restore-unnoted', signer({ mark: { epoch, serial: 9 } })],
    ['restore-unnoted', db({ newest: { epoch: epoch - 1, serial: 99 } })],
    ['restore-unnoted', db({ newest: null })],
    [
      'start',
      {
        running: false,
        ...signer({ mark: { epoch: epoch - 1, serial: 99 }, closed: true }),
        ...db({ newest: { epoch: epoch - 1, serial: 7 } }),
      },
    ],
    ['start', { running: false, ...db({ owners: 0 }) }],
    ['approve-once', db({ standing: sha256Hex(canonicalJson({ approved: null, before: null })) })],
  ])('is %s', async (code, change) => {
    expect(await codeOf(change)).toBe(code);
  });

  it('is a newer root before it is over, and after', async () => {
    expect(await codeOf({}, after(340 * DAY))).toBe('root-expiring');
    expect(await codeOf({}, after(366 * DAY))).toBe('root-expired');
  });

  it('is never said of a chain of roots that does not verify', async () => {
    await expect(codeOf(db({ fingerprint: 'f'.repeat(43) }))).rejects.toMatchObject({ code: 'root.fingerprint' });
  });
});
