/** Which system this is, and how packages are installed on it. */
import fs from 'node:fs';

type Family = 'debian' | 'fedora' | 'suse' | 'arch' | 'alpine';

export interface Distribution {
  /** As the system calls itself. */
  readonly name: string;
  /** @returns the command that installs the package that Debian calls so */
  install(packageName: string): string;
}

const COMMANDS: Readonly<Record<Family, string>> = {
  debian: 'apt-get install',
  fedora: 'dnf install',
  suse: 'zypper install',
  arch: 'pacman -S',
  alpine: 'apk add',
};

const familyOf = (ids: readonly string[]): Family | undefined => {
  for (const id of ids) {
    if (['debian', 'ubuntu'].includes(id)) return 'debian';
    if (['fedora', 'rhel', 'centos'].includes(id)) return 'fedora';
    if (id.includes('suse')) return 'suse';
    if (id === 'arch' || id === 'alpine') return id;
  }
  return undefined;
};

/** @param release the text of os-release(5) */
export const distributionOf = (release: string): Distribution => {
  const value = (key: string): string => (new RegExp(`^${key}=(.*)$`, 'm').exec(release)?.[1] ?? '').replaceAll(/^["']|["']$/g, '');
  const family = familyOf([value('ID'), ...value('ID_LIKE').split(' ')]);
  return {
    name: value('PRETTY_NAME') || 'an unknown system',
    install: (packageName) => (family === undefined ? `install the package ${packageName}` : `${COMMANDS[family]} ${packageName}`),
  };
};

export const thisDistribution = (): Distribution => {
  const file = ['/etc/os-release', '/usr/lib/os-release'].find((name) => fs.existsSync(name));
  return distributionOf(file === undefined ? '' : fs.readFileSync(file, 'utf8'));
};
