/** From a checkout to an endpoint and away again: a signed package is installed, joins by itself, is replaced, survives a version that does not work, and leaves by a retirement. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { keysFor } from '@cordon/policy/trust/_world.ts';
import { signGeneral } from '@cordon/policy/trust/envelope.ts';
import { keyPairFromSeed } from '@cordon/policy/trust/keys.ts';
import type { PackageManifest } from '@cordon/policy/trust/package.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { servesAt } from '../apps/endpoint-agent/src/cli/upgrade.ts';
import { install, type Package, type Target } from '../apps/endpoint-agent/src/install/install.ts';
import { currentOf, environmentOf, keysOf, layoutFor } from '../apps/endpoint-agent/src/install/layout.ts';
import { uninstall } from '../apps/endpoint-agent/src/install/uninstall.ts';
import { upgrade } from '../apps/endpoint-agent/src/install/upgrade.ts';
import { linked } from '../apps/endpoint-agent/src/install/versions.ts';
import { socketFor } from '../apps/endpoint-agent/src/local-api/protocol.ts';
import { leave } from '../apps/endpoint-agent/src/orders/leave.ts';
import { verifyArchive, verifyFolder } from '../apps/endpoint-agent/src/package/verify.ts';
import { startControlPlane, type ControlPlane } from '../apps/endpoint-agent/tests/_control-plane.ts';
import { createWorld, IS_ROOT, type World } from '../apps/endpoint-agent/tests/_world.ts';
import { bundleAgent } from '../infra/pack/bundle.ts';
import { assemble, packAgent, type Packed } from '../infra/pack/pack.ts';
import { partsFor, versionsHere } from '../infra/pack/parts.ts';
import { createUnitService, type UnitService } from './_unit-service.ts';

const PLATFORM = `${process.platform}-${process.arch}` as PackageManifest['platform'];
const key = keyPairFromSeed(randomBytes(32));
const KEYS = JSON.stringify({ keys: [key.jwk] });

let world: World;
let prefix: string;
let plane: ControlPlane;
let service: UnitService;
const packed: Record<string, Packed> = {};

const layout = (): ReturnType<typeof layoutFor> => layoutFor('linux', prefix);
const archiveOf = (name: string): string => path.join(world.root, packed[name]?.name ?? 'none');
const open = (name: string): Promise<Package> => verifyArchive(archiveOf(name), [key.jwk]);
const said: string[] = [];
const target = (): Target => ({ system: 'linux', layout: layout(), service, log: (message) => void said.push(message) });

const put = (one: Packed, name: string): void => {
  packed[name] = one;
  fs.writeFileSync(archiveOf(name), one.archive);
  fs.writeFileSync(`${archiveOf(name)}.jws`, one.jws);
};

/** The installed command, as an administrator of this machine uses it. */
const cordon = (args: readonly string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(layout().command, [...args], { encoding: 'utf8', cwd: world.workspace, env: { PATH: '/usr/bin:/bin', HOME: world.root } });
const status = (): { device: string; enforcing: unknown; connected: boolean } => {
  const { stdout } = cordon(['status', '--json']);
  return JSON.parse(stdout) as { device: string; enforcing: unknown; connected: boolean };
};
const codeOf = async (work: () => unknown): Promise<string> => {
  try {
    await work();
    return 'done';
  } catch (error) {
    return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : String(error);
  }
};
const replaceBy = (name: string, older = false): Promise<string> =>
  open(name).then((pack) =>
    upgrade(
      {
        ...target(),
        serves: () => servesAt(socketFor(layout().runtime, process.getuid?.() ?? 0), 10_000),
        versionIn: async (folder) => (await verifyFolder(folder, [key.jwk])).manifest.version,
      },
      pack,
      older,
    ),
  );

beforeAll(async () => {
  world = createWorld();
  prefix = fs.mkdtempSync('/tmp/cordon-p-');
  fs.chmodSync(prefix, 0o755);
  service = createUnitService(layout());
  plane = await startControlPlane();
  plane.publish('allow:\n  filesystem: { read: ["${tools}"], write: ["${workspace}"] }\n  environment: [LANG]');
  put(await packAgent(PLATFORM, key, world.root, '0.1.0'), 'first');
  put(await packAgent(PLATFORM, key, world.root, '0.1.1'), 'second');
  const bundle = await bundleAgent('0.1.2');
  const broken = bundle.map((file) => (file.path === 'lib/egress.js' ? { ...file, bytes: Buffer.from('process.exit(7);\n') } : file));
  put(await assemble(PLATFORM, '0.1.2', [...broken, ...partsFor(PLATFORM, versionsHere(), world.root)], key), 'broken');
});

afterAll(async () => {
  await service?.end();
  await plane?.stop();
  world?.remove();
  fs.rmSync(prefix, { recursive: true, force: true });
});

describe.skipIf(process.platform !== 'linux')('a package', () => {
  it('is the same bytes when it is made again', async () => {
    const again = await packAgent(PLATFORM, key, world.root, '0.1.0');
    expect(again.archive.equals(packed['first']?.archive ?? Buffer.alloc(0))).toBe(true);
    expect(again.jws).toBe(packed['first']?.jws);
  });

  it('is what any tar reads, with nothing of the machine that made it', () => {
    const { stdout, status: code } = spawnSync('tar', ['--numeric-owner', '-tvzf', archiveOf('first')], { encoding: 'utf8' });
    expect(code).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines.length).toBeGreaterThan(packed['first']?.manifest.files.length ?? Infinity);
    for (const line of lines)
      expect(line).toMatch(/^(?:-rw-r--r--|-rwxr-xr-x|drwxr-xr-x) 0\/0 +\d+ 1970-01-01 00:00 cordon-agent-0\.1\.0-/);
  });

  it('is verified to the last byte, by a key that is trusted', async () => {
    const spoiled = path.join(world.root, 'spoiled.tar.gz');
    const bytes = Buffer.from(packed['first']?.archive ?? []);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    fs.writeFileSync(spoiled, bytes);
    fs.writeFileSync(`${spoiled}.jws`, packed['first']?.jws ?? '');
    expect(await codeOf(() => verifyArchive(spoiled, [key.jwk]))).toBe('package.changed');
    fs.writeFileSync(`${spoiled}.jws`, packed['second']?.jws ?? '');
    expect(await codeOf(() => verifyArchive(spoiled, [key.jwk]))).toBe('package.changed');
    expect(await codeOf(() => verifyArchive(archiveOf('first'), [keyPairFromSeed(randomBytes(32)).jwk]))).toBe('jws.key');
    expect(await codeOf(() => verifyArchive(path.join(world.root, 'none.tar.gz'), [key.jwk]))).toBe('package.missing');
    expect((await open('first')).manifest.version).toBe('0.1.0');
  });
});

describe.skipIf(process.platform !== 'linux')('an endpoint', () => {
  it('is installed, joins as its configuration file says, and contains what it runs', async () => {
    const { settings } = layout();
    fs.mkdirSync(settings, { recursive: true, mode: 0o755 });
    fs.writeFileSync(path.join(settings, 'enroll.json'), JSON.stringify({ server: plane.url, token: plane.token() }), { mode: 0o600 });
    fs.writeFileSync(environmentOf(layout()), `CORDON_AGENT_USERS=${world.account.name}\n`);
    install(target(), { pack: await open('first'), keys: KEYS });
    await expect.poll(() => plane.received('ack').some(({ phase }) => phase === 'enforced'), { timeout: 30_000 }).toBe(true);
    expect(status().connected).toBe(true);
    const as = IS_ROOT ? ['--user', world.account.name] : [];
    expect(cordon(['run', ...as, '--', 'sh', '-c', 'echo contained > made; cat made'])).toMatchObject({
      status: 0,
      stderr: '',
      stdout: 'contained\n',
    });
    expect(cordon(['run', ...as, '--', 'sh', '-c', `cat ${layout().state}/device-key.json; ls ${layout().state}`]).status).not.toBe(0);
    expect(cordon(['--version']).stdout).toBe('cordon 0.1.0\n');
  });

  it('is what was signed, until somebody changes it', async () => {
    const folder = linked(currentOf(layout())) ?? '';
    expect(cordon(['verify-package', '--prefix', prefix])).toMatchObject({ status: 0, stderr: '' });
    const file = path.join(folder, 'LICENSE');
    const text = fs.readFileSync(file);
    fs.appendFileSync(file, '\n');
    expect(cordon(['verify-package', '--prefix', prefix]).stderr).toContain('[package.file-changed]');
    fs.writeFileSync(file, text);
    fs.writeFileSync(path.join(folder, 'lib/more.js'), '');
    expect(cordon(['verify-package', '--prefix', prefix]).stderr).toContain('[package.file-unknown]');
    fs.rmSync(path.join(folder, 'lib/more.js'));
    fs.chmodSync(keysOf(layout()), 0o666);
    expect(cordon(['verify-package', '--prefix', prefix]).stderr).toContain('[file.unsafe]');
    fs.chmodSync(keysOf(layout()), 0o644);
    expect(await codeOf(() => verifyFolder(folder, [key.jwk]))).toBe('done');
  });

  it('is upgraded in place: the same device, with what it enforces', async () => {
    const { device, enforcing } = status();
    await replaceBy('second');
    expect(cordon(['--version']).stdout).toBe('cordon 0.1.1\n');
    expect(status()).toMatchObject({ device, enforcing });
    expect(fs.readFileSync(environmentOf(layout()), 'utf8')).toContain('CORDON_AGENT_USERS=');
    expect(await codeOf(() => replaceBy('first'))).toBe('upgrade.older');
  });

  it('is back at its version when a new one does not serve', { timeout: 180_000 }, async () => {
    const { device } = status();
    expect(await codeOf(() => replaceBy('broken'))).toBe('upgrade.went-back');
    expect(cordon(['--version']).stdout).toBe('cordon 0.1.1\n');
    expect(status().device).toBe(device);
    expect(service.running()).toBe(true);
  });

  it('is not removed while it belongs to an organisation', async () => {
    expect(await codeOf(() => uninstall(target(), { leave: undefined, everything: true }))).toBe('uninstall.enrolled');
    expect(cordon(['uninstall', '--prefix', prefix, '--everything']).stderr).toContain('[uninstall.enrolled]');
    expect(service.running()).toBe(true);
    expect(status().connected).toBe(true);
  });

  it('leaves by a retirement for it and no other, and then nothing of it stays but its last word', { timeout: 180_000 }, async () => {
    const { org } = plane.organisation;
    const retire = (device: string): Promise<string> =>
      signGeneral(
        {
          format: 'cordon-retirement/1',
          org,
          device,
          epoch: plane.organisation.root.epoch,
          issuedAt: new Date().toISOString(),
          expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
        },
        'cordon-retirement+jws',
        keysFor(org, 'approver').slice(0, 1),
      );
    const bring = (text: string): Promise<void> =>
      uninstall(target(), { leave: async () => void (await leave(layout().state, text)), everything: false });
    const { device } = status();
    const other = await retire(`dev_${'x'.repeat(16)}`);
    expect(await codeOf(() => bring(other))).toMatch(/^retirement\./);
    expect(service.running()).toBe(true);
    const mine = await retire(device);
    expect(await codeOf(() => bring(mine))).toBe('done');
    expect(service.running()).toBe(false);
    const left = fs.globSync('**/*', { cwd: prefix, withFileTypes: true }).filter((entry) => entry.isFile() || entry.isSymbolicLink());
    expect(left.map(({ name }) => name).sort()).toEqual(['agent.env', 'enroll.json', 'in-use.lock', 'release-keys.json', 'retired.json']);
  });
});
