/** For which account a run is, and whether it may be. */
import { CordonError } from '@cordon/policy/errors.ts';
import { accountNamed, type Account } from '../local-api/accounts.ts';
import type { Caller } from '../local-api/server.ts';

/** Only root's own socket may speak for another account, and nobody from inside a run. @throws CordonError `local.user` */
export const accountFor = ({ account: caller, inside }: Caller, named: string | undefined): Account => {
  const own = inside?.account ?? caller;
  if (named === undefined || named === own.name) return own;
  if (own.uid !== 0) throw new CordonError('local.user', 'only root may name another user');
  const account = accountNamed(named);
  if (account === undefined) throw new CordonError('local.user', `there is no account ${named}`);
  return account;
};

/** @throws CordonError `launch.root` */
export const requireOrdinary = ({ uid }: Account): void => {
  if (uid === 0)
    throw new CordonError(
      'launch.root',
      'a workload never runs as root: root inside a sandbox undoes its rules. Run as an ordinary account, or name one with --user',
    );
};
