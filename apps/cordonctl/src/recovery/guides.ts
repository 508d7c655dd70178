/** What nobody can see by looking at the installation: somebody has to say it. */
import type { Step } from './steps.ts';

export interface Guide {
  readonly about: string;
  readonly steps: readonly Step[];
}

const start = (folder: string): Step => ({
  at: 'server',
  does: 'stop the service, start it once with what that wrote, and delete the copy when it is ready',
  command: `CORDON_ORGANISATION=${folder}/server node apps/control-plane/src/main.ts`,
});

export const GUIDES: Readonly<Record<string, Guide>> = {
  'stolen-key': {
    about:
      'An online key was stolen, or may have been. Until the new root is taken on, the thief can sign what the floor allows; devices refuse his signatures from then on.',
    steps: [
      {
        at: 'offline',
        does: 'make new online keys and raise the epoch, in one version of the root',
        command:
          'cordonctl keys rotate checkpoint --raise-epoch --organisation organisation.json --with root-1.key --with root-2.key --out next',
      },
      start('next'),
      { at: 'anywhere', does: 'propose, approve and publish once in the new epoch: cordonctl recover says how' },
    ],
  },
  'root-key': {
    about:
      'A root key was lost or stolen, and those that are left reach the threshold. All shares are made anew; the lost one signs nothing any more.',
    steps: [
      {
        at: 'offline',
        does: 'make new root keys; as many of the old ones as the threshold demands sign',
        command: 'cordonctl keys rotate root --organisation organisation.json --with root-1.key --with root-2.key --out next',
      },
      start('next'),
    ],
  },
  'root-below-threshold': {
    about:
      'Fewer root keys are left than the threshold demands. No new root can be made, by anybody: keys, approvers, floor keys and epoch stay as they are. What works on until the root is over: enrollment, approvals, publishing, renewals, a new floor. What does not: rotating any key, raising the epoch after a restore.',
    steps: [
      {
        at: 'server',
        does: 'take a backup now and keep the service and its signer as they are: a lost signer could not be replaced',
        command: 'cordonctl backup --out BACKUP --passphrase FILE',
      },
      { at: 'offline', does: 'make a new organisation', command: 'cordonctl keys init --out org2' },
      {
        at: 'server',
        does: 'start a second control plane with it, on a state folder and a database of its own, and set it up as the first one is',
      },
      {
        at: 'anywhere',
        does: 'let the first organisation retire each device and enrol it into the second one, before the root of the first is over (cordonctl keys show)',
      },
    ],
  },
  device: {
    about:
      'A device was enrolled after the backup was taken: the restored database does not know it, and its sessions are refused. It keeps what it enforces, then is stale, then expired as its policies say: never without enforcement.',
    steps: [
      { at: 'anywhere', does: 'make an enrollment token of the same organisation' },
      {
        at: 'anywhere',
        does: 'on the device: stop the daemon, join the same organisation again, start the daemon. Between the two nothing launches',
        command: 'cordon enroll --server URL --token-file FILE --again',
      },
    ],
  },
};
