/**
 * `npm run pack:agent -- --key FILE [--platform NAME]... [--out DIR]`: what endpoints install, one signed archive a platform.
 * `npm run pack:agent -- --new-key FILE`: a release key, sealed under a passphrase that lies beside it until its keeper takes it away.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { CordonError } from '@cordon/policy/errors.ts';
import { PLATFORMS, type Platform } from '@cordon/policy/trust/package.ts';
import { makeKey, openKey } from '../../apps/cordonctl/src/keys/key-file.ts';
import { packAgent } from './pack.ts';

const { values } = parseArgs({
  options: {
    key: { type: 'string' },
    'new-key': { type: 'string' },
    platform: { type: 'string', multiple: true },
    out: { type: 'string', default: path.join(import.meta.dirname, '../../.cache/pack') },
  },
});

const say = (message: string): void => void process.stdout.write(`${message}\n`);
const isPlatform = (name: string): name is Platform => (PLATFORMS as readonly string[]).includes(name);

const newKey = (file: string): void => {
  const { jwk } = makeKey(path.resolve(file));
  const keys = path.join(path.dirname(path.resolve(file)), 'release-keys.json');
  fs.writeFileSync(keys, `${JSON.stringify({ keys: [jwk] }, null, 2)}\n`, { flag: 'wx' });
  say(`release key ${file}, its passphrase ${file}.passphrase; what endpoints are given: ${keys}`);
};

const packAll = async (keyFile: string, names: readonly string[], out: string): Promise<void> => {
  const unknown = names.find((name) => !isPlatform(name));
  if (unknown !== undefined) throw new CordonError('pack.platform', `${unknown} is not one of ${PLATFORMS.join(', ')}`);
  const key = openKey(path.resolve(keyFile));
  fs.mkdirSync(out, { recursive: true });
  for (const platform of names.filter(isPlatform)) {
    const { name, archive, jws } = await packAgent(platform, key, path.join(out, 'npm'));
    fs.writeFileSync(path.join(out, name), archive);
    fs.writeFileSync(path.join(out, `${name}.jws`), `${jws}\n`);
    say(
      `${path.join(out, name)}  ${(archive.length / 2 ** 20).toFixed(1)} MiB  sha256 ${createHash('sha256').update(archive).digest('hex')}`,
    );
  }
};

try {
  if (values['new-key'] !== undefined) newKey(values['new-key']);
  else if (values.key === undefined) throw new CordonError('pack.key', 'name the release key by --key FILE; --new-key FILE makes one');
  else await packAll(values.key, values.platform ?? [`${process.platform}-${process.arch}`], path.resolve(values.out));
} catch (error) {
  if (!(error instanceof CordonError)) throw error;
  process.stderr.write(`pack: ${error.message} [${error.code}]\n`);
  process.exitCode = 1;
}
