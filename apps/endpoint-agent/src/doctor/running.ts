/** The daemon of this machine, and what it says of itself. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import { ask } from '../local-api/client.ts';
import type { Status } from '../local-api/protocol.ts';
import { failed, ok, unknown, warning, type Check } from './check.ts';

/** @returns undefined while it is down; @throws CordonError for whoever may not ask */
export const statusFrom = async (socket: string): Promise<Status | undefined> => {
  try {
    const reply = await ask(socket, { op: 'status' });
    if (reply.type === 'status') return reply.status;
    throw new CordonError('local.inside', 'this is inside a run: ask outside of it');
  } catch (error) {
    if (error instanceof CordonError && error.code === 'daemon.not-running') return undefined;
    throw error;
  }
};

export const enrollmentCheck = (enrollment: Enrollment | undefined, mayLook: boolean, status: Status | undefined): Check => {
  if (status !== undefined) return ok('enrollment', `${status.device} in ${status.organisation}`);
  if (enrollment !== undefined) return ok('enrollment', `${enrollment.device} in ${enrollment.org}`);
  return mayLook
    ? failed('enrollment', 'this device belongs to no organisation', 'cordon enroll --server URL, with a token from your administrator')
    : unknown('enrollment', 'only the account of the daemon sees it while the daemon is down: ask as root');
};

const policyCheck = ({ enforcing, blocked }: Status): Check => {
  if (enforcing === null)
    return failed(
      'policy',
      blocked ?? 'nothing valid is in force: nothing launches',
      'look at cordon logs; the control plane must be reached once',
    );
  const detail = `serial ${enforcing.serial}, ${enforcing.freshness}: ${enforcing.policies.join(', ') || 'no policy is assigned'}`;
  if (enforcing.freshness === 'current')
    return enforcing.policies.length > 0
      ? ok('policy', detail)
      : warning('policy', detail, 'ask your administrator to assign one: nothing launches without');
  const mend = 'the control plane must be reached: see the checks of it';
  return (enforcing.freshness === 'expired' ? failed : warning)('policy', detail, mend);
};

const selfTestCheck = ({ selfTest, enforcing }: Status): Check => {
  if (selfTest === null)
    return enforcing === null
      ? unknown('self-test', 'it comes with the first policy')
      : warning('self-test', 'it was not run yet', 'wait a moment, and look again; during maintenance there is none');
  const when = `at ${selfTest.at}`;
  if (selfTest.passed) return ok('self-test', `passed ${when}`);
  const why = selfTest.failed.join('; ');
  return failed(
    'self-test',
    `failed ${when}, so nothing here counts as enforced${why === '' ? '' : `: ${why}`}`,
    'mend what failed in these checks; it is tried again by itself',
  );
};

export const daemonChecks = (status: Status | undefined, socket: string): readonly Check[] => {
  if (status === undefined)
    return [failed('daemon', `nobody answers at ${socket}`, 'start it: systemctl start cordon, or cordon daemon where it is no service')];
  const { connected, server, spool } = status;
  return [
    ok('daemon', `it answers; ${status.runs} ${status.runs === 1 ? 'run lives' : 'runs live'}`),
    connected
      ? ok('session', `connected to ${server}`)
      : warning(
          'session',
          `not connected to ${server}; what is in force stays in force`,
          'see the checks of the control plane, and cordon logs',
        ),
    policyCheck(status),
    selfTestCheck(status),
    spool.dropped === 0
      ? ok('events', `${spool.waiting} wait to be sent`)
      : warning(
          'events',
          `${spool.dropped} were dropped, ${spool.waiting} wait to be sent`,
          'reach the control plane, or make room on the disk',
        ),
  ];
};
