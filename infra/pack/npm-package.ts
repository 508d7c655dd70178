/** Packages for platforms that this machine is not: fetched by npm at an exact version, and taken only with the digest that is written down here. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import pins from './pins.json' with { type: 'json' };

const PINS: Readonly<Record<string, string>> = pins;

/**
 * @param folder where what was fetched is kept
 * @returns the folder of the unpacked package
 * @throws CordonError `pack.unpinned`, `pack.unavailable`, `pack.digest`
 */
export const fetchPackage = (name: string, version: string, folder: string): string => {
  const pin = PINS[name];
  if (pin === undefined)
    throw new CordonError(
      'pack.unpinned',
      `no digest of ${name} is written down in infra/pack/pins.json: look where it can be had, check it, and add it`,
      { place: name },
    );
  const own = path.join(folder, `${name.replaceAll(/[^a-z0-9]+/g, '-')}-${version}`);
  fs.rmSync(own, { recursive: true, force: true });
  fs.mkdirSync(own, { recursive: true });
  let said: string;
  try {
    said = execFileSync('npm', ['pack', `${name}@${version}`, '--silent', '--prefer-offline', '--pack-destination', own], {
      cwd: own,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (cause) {
    throw new CordonError(
      'pack.unavailable',
      `npm cannot give ${name}@${version}: the registry in use does not offer it, or cannot be reached`,
      { place: name, cause },
    );
  }
  const archive = path.join(own, said.trim().split('\n').at(-1) ?? '');
  const digest = `sha512-${createHash('sha512').update(fs.readFileSync(archive)).digest('base64')}`;
  if (digest !== pin)
    throw new CordonError('pack.digest', `${name}@${version} is ${digest}, and ${pin} was expected: it is not what was packed before`, {
      place: name,
    });
  execFileSync('tar', ['-xzf', archive, '-C', own], { stdio: 'inherit' });
  return path.join(own, 'package');
};
