/** Online keys that never leave a PKCS#11 token: SoftHSM here, any module by the same road. Skipped, visibly, where SoftHSM and OpenSC are not installed. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCompact, signCompact } from '@cordon/policy/trust/envelope.ts';
import type { KeyToken } from '@cordon/policy/trust/key-token.ts';
import { admit } from '@cordon/policy/trust/keys.ts';
import { openKeys } from '../apps/control-plane/src/signer/key-file.ts';
import { cordonctl, ctl, join, makeFolder, makeSite, start } from './_fleet.ts';

const MODULE = '/usr/lib/softhsm/libsofthsm2.so';
const TOOL = '/usr/bin/pkcs11-tool';
const SOFTHSM = '/usr/bin/softhsm2-util';
const missing = [MODULE, TOOL, '/usr/bin/python3', SOFTHSM].filter((file) => !fs.existsSync(file));
const PIN = '74918203';

/** A token with the three online keys in it. @returns its variables, and the file that describes it */
const makeToken = async (folder: string): Promise<{ readonly SOFTHSM2_CONF: string; readonly file: string }> => {
  fs.mkdirSync(path.join(folder, 'tokens'));
  const conf = path.join(folder, 'softhsm2.conf');
  fs.writeFileSync(conf, `directories.tokendir = ${path.join(folder, 'tokens')}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  const env = { PATH: '/usr/bin:/bin', SOFTHSM2_CONF: conf };
  execFileSync(SOFTHSM, ['--init-token', '--free', '--label', 'cordon', '--pin', PIN, '--so-pin', '11112222'], { env });
  for (const [i, role] of ['policy', 'checkpoint', 'identity'].entries())
    execFileSync(
      TOOL,
      [
        '--module',
        MODULE,
        '--token-label',
        'cordon',
        '--login',
        '--pin',
        PIN,
        '--keypairgen',
        '--key-type',
        'EC:edwards25519',
        '--id',
        `0${i + 1}`,
        '--label',
        `cordon-${role}`,
      ],
      { env, stdio: 'pipe' },
    );
  const file = path.join(folder, 'token.json');
  await ctl('keys', 'token', '--module', MODULE, '--token', 'cordon', '--env', `SOFTHSM2_CONF=${conf}`, '--out', file);
  return { SOFTHSM2_CONF: conf, file };
};

describe.skipIf(missing.length > 0)(
  `a signer with its keys in a token${missing.length > 0 ? ` (not here: ${missing.join(', ')})` : ''}`,
  () => {
    it(
      'signs what devices verify and follow, with a PIN that stands in one private file; a wrong PIN stops it, and a rotation leaves the token again',
      { timeout: 180_000 },
      async () => {
        const folder = makeFolder();
        const { file } = await makeToken(folder);
        const at = (...names: readonly string[]): string => path.join(folder, ...names);
        await ctl('keys', 'init', '--out', at('org'), '--online', file);
        fs.writeFileSync(at('org/server/passphrase'), `${PIN}\n`, { mode: 0o600 });
        expect(fs.readdirSync(at('org/server')).sort()).toEqual(['online-keys.json', 'organisation.json', 'passphrase']);

        const site = await makeSite();
        const first = await start(site, at('org/server'));
        const device = await join(first, 'laptop');
        expect(device.inForce()?.epoch).toBe(0);
        // What is signed may be long, and what another key signed is found out before anyone sees it.
        const signer = (name: string): string => path.join(site.stateDir, 'signer', name);
        const keys = openKeys(signer('online-keys.json'), signer('passphrase'));
        const text = 'x'.repeat(300_000);
        const long = await signCompact({ text }, 'cordon-bundle+jws', keys.policy);
        const described = JSON.parse(fs.readFileSync(file, 'utf8')) as KeyToken;
        const publicKeys = admit(described.keys.policy.jwk);
        expect((await openCompact(long, { typ: 'cordon-bundle+jws', keys: publicKeys, maxBytes: 1_000_000 })).payload).toEqual({ text });
        const swapped = {
          ...described,
          keys: { ...described.keys, policy: { ...described.keys.policy, id: described.keys.checkpoint.id } },
        };
        fs.writeFileSync(at('swapped.json'), JSON.stringify(swapped));
        const wrong = openKeys(at('swapped.json'), signer('passphrase'));
        await expect(signCompact({}, 'cordon-bundle+jws', wrong.policy)).rejects.toMatchObject({ code: 'signer.token' });
        await first.close();

        const passphrase = path.join(site.stateDir, 'signer/passphrase');
        fs.writeFileSync(passphrase, 'wrong');
        await expect(start(site)).rejects.toMatchObject({ code: 'signer.token' });
        fs.writeFileSync(passphrase, PIN);

        // From the token back to sealed keys: a rotation like any other.
        const two = ['--with', at('org/root-1.key'), '--with', at('org/root-2.key')];
        await ctl('keys', 'rotate', 'checkpoint', '--organisation', at('org/server/organisation.json'), ...two, '--out', at('v2'));
        const second = await start(site, at('v2/server'));
        await expect.poll(() => device.state.trusted().roots.length, { timeout: 30_000 }).toBe(2);
        expect(device.inForce()?.content.policies).toEqual([]);
        await second.close();
      },
    );

    it('is described only by a file that says so, and only for online keys', { timeout: 180_000 }, async () => {
      const folder = makeFolder();
      const { file } = await makeToken(folder);
      const init = (online: string) => cordonctl(['keys', 'init', '--out', path.join(folder, 'org'), '--online', online]);
      const other = path.join(folder, 'other.json');
      fs.writeFileSync(other, fs.readFileSync(file, 'utf8').replace(MODULE, "/tmp/x'; touch y; '"));
      expect((await init(other)).stderr).toContain('[keys.token]');
      expect(await cordonctl(['keys', 'token', '--module', MODULE, '--token', 'none', '--out', path.join(folder, 'n.json')])).toMatchObject(
        {
          status: 2,
          stderr: expect.stringContaining('[keys.token]') as unknown,
        },
      );
      await ctl('keys', 'init', '--out', path.join(folder, 'org'));
      const rotate = ['keys', 'rotate', 'floor', '--organisation', path.join(folder, 'org/server/organisation.json')];
      expect(
        (await cordonctl([...rotate, '--with', path.join(folder, 'org/root-1.key'), '--out', path.join(folder, 'v2'), '--online', file]))
          .stderr,
      ).toContain('[cli.usage]');
    });
  },
);
