/** Commands that put Cordon on a machine, and take it away. */
import { JSON_OPTION, type Command, type Option } from './command.ts';

const PREFIX: Option = { name: 'prefix', value: 'DIR', help: 'below this folder instead of the machine’s own places', completes: 'folder' };
const NO_SERVICE: Option = { name: 'no-service', help: 'lay everything out and leave the service manager alone, as for an image' };

export const INSTALL: readonly Command[] = [
  {
    name: 'install',
    words: 'ARCHIVE',
    completes: 'file',
    summary: 'install a signed package on this machine, with its service',
    about: [
      'ARCHIVE is what npm run pack:agent made, with its signature ARCHIVE.jws beside it. The release keys are yours: they come from where you trust them, not from the archive. Later versions are verified by the same keys.',
      'A machine that finds how to join in its configuration file enrols when its service starts.',
    ],
    options: [
      { name: 'release-keys', value: 'FILE', help: 'the keys that packages are signed with', required: true, completes: 'file' },
      PREFIX,
      NO_SERVICE,
      JSON_OPTION,
    ],
    load: async () => (await import('../install.ts')).installCommand,
  },
  {
    name: 'upgrade',
    words: 'ARCHIVE',
    completes: 'file',
    summary: 'use another version; state and settings stay',
    about: [
      'A version whose daemon does not serve within a minute is not left in use: the one before comes back, and the command says so.',
      'Runs end with their daemon, also when it is replaced.',
    ],
    options: [{ name: 'older', help: 'also when the version is older than the one in use' }, PREFIX, NO_SERVICE, JSON_OPTION],
    load: async () => (await import('../upgrade.ts')).upgradeCommand,
  },
  {
    name: 'uninstall',
    summary: 'remove Cordon from a machine that belongs to no organisation any more',
    about: [
      'A device that is enrolled stays as it is: only a retirement that approvers signed ends containment. The daemon obeys one by itself; --retirement brings one from a file.',
    ],
    options: [
      { name: 'retirement', value: 'FILE', help: 'obey this retirement first', completes: 'file' },
      { name: 'everything', help: 'settings, and the last word of the device, too' },
      PREFIX,
      NO_SERVICE,
      JSON_OPTION,
    ],
    load: async () => (await import('../uninstall.ts')).uninstallCommand,
  },
  {
    name: 'verify-package',
    words: '[ARCHIVE|FOLDER]',
    completes: 'file',
    summary: 'whether a package, or what is installed, is what was signed',
    about: ['Without a name: the version of this very program.'],
    options: [
      { name: 'release-keys', value: 'FILE', help: 'keys, instead of those of the installation', completes: 'file' },
      PREFIX,
      JSON_OPTION,
    ],
    load: async () => (await import('../verify-package.ts')).verifyPackageCommand,
  },
];
