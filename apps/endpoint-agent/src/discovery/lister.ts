/** Keeps what is installed up to date: a scan of each account and of the machine, now and then, and when something runs that no scan has found. */
import type { AccountScan, Whose } from './account-scan.ts';
import type { KnownProgram } from './content.ts';
import type { Account } from '../local-api/accounts.ts';

/** Not at the very start, when runs and the connection come first. */
const FIRST_MS = 30_000;
const EVERY_MS = 30 * 60_000;
/** Between two scans, whatever is found running. */
const SOONEST_MS = 5 * 60_000;

export interface Listed {
  readonly at: Date;
  readonly scan: AccountScan;
}

export interface ListerOptions {
  readonly accounts: () => readonly Account[];
  /** Whose rights a scan of the machine's own places has; absent: this process's. */
  readonly machine: Pick<Account, 'uid' | 'gid'> | undefined;
  /** Where an account's agents work. */
  readonly workspacesOf: (account: Account) => readonly string[];
  /** @param as absent: with the rights of this process */
  readonly scan: (whose: Whose, as: Pick<Account, 'uid' | 'gid'> | undefined) => Promise<AccountScan>;
  /** This process may take on other accounts' rights. */
  readonly root: boolean;
  readonly onListed: (programs: readonly KnownProgram[]) => Promise<void>;
  readonly now: () => Date;
  readonly log: (message: string) => void;
}

export interface Lister {
  /** The newest list, made if there is none yet. */
  current(): Promise<Listed>;
  readonly last: () => Listed | undefined;
  /** Something is there that the list does not have. */
  outdated(): void;
  start(signal: AbortSignal): void;
}

export const createLister = ({ accounts, machine, workspacesOf, scan, root, onListed, now, log }: ListerOptions): Lister => {
  let last: Listed | undefined;
  let running: Promise<Listed> | undefined;

  /** One after the other: nobody waits for it, and the machine is its users'. */
  const list = async (): Promise<Listed> => {
    const agents: AccountScan['agents'][number][] = [];
    const servers: AccountScan['servers'][number][] = [];
    const programs: KnownProgram[] = [];
    const add = (found: AccountScan, uid: number): void => {
      agents.push(...found.agents);
      servers.push(...found.servers);
      programs.push(...found.programs.map((program) => ({ ...program, uid })));
    };
    add(await scan({ os: 'linux', user: '', workspaces: [] }, machine), machine?.uid ?? process.getuid?.() ?? 0);
    for (const account of accounts()) {
      const whose: Whose = { os: 'linux', user: account.name, home: account.home, workspaces: workspacesOf(account) };
      add(await scan(whose, root ? account : undefined), account.uid);
    }
    last = { at: now(), scan: { agents, servers, programs: [] } };
    await onListed(programs);
    return last;
  };
  const renew = (): Promise<Listed> => {
    running ??= list().finally(() => (running = undefined));
    return running;
  };
  const renewBehind = (): void => void renew().catch((error: unknown) => log(`what is installed could not be listed: ${String(error)}`));
  return {
    current: async () => last ?? renew(),
    last: () => last,
    outdated: () => {
      if (last !== undefined && now().getTime() - last.at.getTime() >= SOONEST_MS) renewBehind();
    },
    start: (signal) => {
      const first = setTimeout(() => last === undefined && renewBehind(), FIRST_MS);
      const every = setInterval(renewBehind, EVERY_MS);
      for (const timer of [first, every]) timer.unref();
      const end = (): void => {
        clearTimeout(first);
        clearInterval(every);
      };
      signal.addEventListener('abort', end, { once: true });
    },
  };
};
