/** What to do in each situation, in commands. A test runs them in docs/recovery.md. */
import type { SituationCode } from '@cordon/policy/recovery/situation.ts';

/** An offline machine has the root keys; the server has the service. */
export type Place = 'offline' | 'server' | 'anywhere';

export interface Step {
  readonly at: Place;
  readonly does: string;
  readonly command?: string;
}

const newest = (file: string): Step => ({
  at: 'offline',
  does: `take the newest organisation.json that the keeper of the ceremony has; ${file} is the one that this database knows, and only as new as that`,
});
const START = (folder: string): Step => ({
  at: 'server',
  does: 'start the service once with what that wrote, and delete the copy when it is ready',
  command: `CORDON_ORGANISATION=${folder}/server node apps/control-plane/src/main.ts`,
});
const AGAIN: Step = { at: 'server', does: 'look again', command: 'cordonctl recover' };
const WITH = '--with root-1.key --with root-2.key';

const raise = (file: string): readonly Step[] => [
  newest(file),
  {
    at: 'offline',
    does: 'raise the epoch with as many root keys as the threshold demands',
    command: `cordonctl keys raise-epoch --organisation organisation.json ${WITH} --out next`,
  },
  START('next'),
  AGAIN,
];
const newKeys = (file: string): readonly Step[] => [
  { at: 'server', does: 'move what is left of the signer away, if there is anything: mv $CORDON_STATE/signer $CORDON_STATE/signer.lost' },
  newest(file),
  {
    at: 'offline',
    does: 'make new online keys and raise the epoch, in one version of the root',
    command: `cordonctl keys rotate checkpoint --raise-epoch --organisation organisation.json ${WITH} --out next`,
  },
  START('next'),
  AGAIN,
];
const BACKUP = 'cordonctl restore --from BACKUP --passphrase FILE';

/** @param organisation the file that was written of what the database has */
export const stepsFor = (code: SituationCode, organisation: string): readonly Step[] => {
  switch (code) {
    case 'database-unreachable':
      return [
        {
          at: 'server',
          does: 'mend DATABASE_URL or start the database; if its data is gone, restore it into an empty one',
          command: `${BACKUP} --only database`,
        },
        AGAIN,
      ];
    case 'nothing-here':
      return [
        {
          at: 'server',
          does: 'restore a backup here; --audit-head SEQ:HASH names the newest head of the audit log that anybody kept',
          command: BACKUP,
        },
        AGAIN,
      ];
    case 'database-lost':
      return [
        { at: 'server', does: 'the signer is the newer half: restore the database alone', command: `${BACKUP} --only database` },
        AGAIN,
      ];
    case 'signer-lost':
    case 'signer-unknown':
      return newKeys(organisation);
    case 'roots-behind':
      return [
        {
          at: 'offline',
          does: 'this database is older than the last ceremony: find the newest organisation.json, and do not go on from the one that the database has',
        },
        ...raise(organisation),
      ];
    case 'restore-unnoted':
      return [
        {
          at: 'server',
          does: 'stop the service and say that the database was put back: its log gets an entry, and every token ends',
          command: 'cordonctl restore --noted',
        },
        AGAIN,
      ];
    case 'one-ahead':
      return [
        {
          at: 'server',
          does: 'if an older database was put in place of the newest, stop the service and say so; then look again',
          command: 'cordonctl restore --noted',
        },
        {
          at: 'server',
          does: 'if not, the service ended between signing and storing: it goes on by itself',
          command: 'node apps/control-plane/src/main.ts',
        },
        AGAIN,
      ];
    case 'epoch-closed':
      return raise(organisation);
    case 'root-expired':
    case 'root-expiring':
      return [
        newest(organisation),
        {
          at: 'offline',
          does: 'any change of the root moves its end; this one changes nothing else for people',
          command: `cordonctl keys rotate identity --organisation organisation.json ${WITH} --out next`,
        },
        START('next'),
        AGAIN,
      ];
    case 'start':
      return [
        {
          at: 'server',
          does: 'start the service; the token of a first owner is in CORDON_STATE/admin-token when there was none',
          command: 'node apps/control-plane/src/main.ts',
        },
        AGAIN,
      ];
    case 'approve-once':
      return [
        { at: 'anywhere', does: 'propose what is in force', command: "cordonctl propose --title 'after the epoch was raised'" },
        { at: 'anywhere', does: 'each approver signs it', command: 'cordonctl approve ID --key approver.key' },
        { at: 'anywhere', does: 'publish it', command: 'cordonctl publish --proposal ID' },
        AGAIN,
      ];
    case 'whole':
      return [];
  }
};
