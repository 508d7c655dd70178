/** Starts the process that lists what an account has, and believes nothing that it says before it was looked at. */
import { spawn } from 'node:child_process';
import os from 'node:os';
import { PROFILES } from '@cordon/policy/agents/profiles.ts';
import { Compile } from 'typebox/compile';
import type { Account } from '../local-api/accounts.ts';
import { DISCOVERY_PROGRAM } from '../place.ts';
import { AccountScan, type Whose } from './account-scan.ts';

const KNOWN: ReadonlySet<string> = new Set(PROFILES.map(({ id }) => id));
const Answer = Compile(AccountScan);
const MOST_BYTES = 2 * 1024 * 1024;
const MOST_MS = 20_000;
const NOTHING: AccountScan = { agents: [], servers: [], programs: [] };

/** @param as whose rights it has; absent: this process's. @returns nothing found where it failed, with a word in the log */
export const scanAs = async (
  whose: Whose,
  as: Pick<Account, 'uid' | 'gid'> | undefined,
  log: (message: string) => void,
): Promise<AccountScan> => {
  const child = spawn(process.execPath, ['--max-old-space-size=192', '--disable-warning=ExperimentalWarning', DISCOVERY_PROGRAM], {
    env: {},
    cwd: '/',
    stdio: ['pipe', 'pipe', 'ignore'],
    timeout: MOST_MS,
    killSignal: 'SIGKILL',
    ...(as !== undefined && { uid: as.uid, gid: as.gid }),
  });
  child.stdin.on('error', () => undefined); // it ended before it read: its status says so
  child.stdin.end(JSON.stringify(whose));
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    if (text.length > MOST_BYTES) child.kill('SIGKILL');
  });
  const status = await new Promise<string | number | null>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('spawn', () => {
      if (child.pid !== undefined) os.setPriority(child.pid, os.constants.priority.PRIORITY_LOW);
    });
    child.once('close', resolve);
  });
  const failed = (why: string): AccountScan => {
    log(`what ${whose.user === '' ? 'this machine' : whose.user} has could not be listed: ${why}`);
    return NOTHING;
  };
  if (status !== 0) return failed(`the process ended with ${String(status)}`);
  try {
    const answer: unknown = JSON.parse(text);
    if (!Answer.Check(answer)) return failed('what it said is not a list');
    // Whose it is, is known here; the process is its account's, and could say anything.
    const own = <T extends { readonly agent: string }>(all: readonly T[]): T[] =>
      all.filter(({ agent }) => KNOWN.has(agent)).map((one) => ({ ...one, ...('osUser' in one && { osUser: whose.user }) }));
    return { agents: own(answer.agents), servers: own(answer.servers), programs: own(answer.programs) };
  } catch {
    return failed('what it said is not JSON');
  }
};
