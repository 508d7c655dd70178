/** Which AI agents this machine has, which of them run, and which of those run outside containment. */
import fs from 'node:fs';
import { CordonError } from '@cordon/policy/errors.ts';
import type { UpFrame } from '@cordon/policy/protocol/channel.ts';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { Inventory } from '@cordon/policy/protocol/inventory.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { localAccount, type Account } from '../local-api/accounts.ts';
import type { Caller, Converse } from '../local-api/server.ts';
import type { RunTable } from '../runs/run-table.ts';
import { composeInventory, inventoryFor } from './compose.ts';
import { createContents } from './content.ts';
import { createLister, type Listed } from './lister.ts';
import { discreet, discreetInventory, settingsFor, uncontainedFor } from './policy.ts';
import { createLook } from './processes.ts';
import { createInventoryReporter } from './reporting.ts';
import type { AgentsReport } from './requests.ts';
import { scanAs } from './scan.ts';
import { endAgent } from './stop.ts';
import { createWatch } from './watch.ts';

export interface DiscoveryOptions {
  readonly device: string;
  readonly root: boolean;
  /** Whose homes are looked at. */
  readonly accounts: readonly Account[];
  /** Who looks at the machine's own places for a root daemon. */
  readonly nobody: Account | undefined;
  readonly runs: Pick<RunTable, 'all'>;
  /** What is in force. */
  readonly state: () => VerifiedState | undefined;
  readonly report: (event: NewEvent) => void;
  readonly send: (frame: UpFrame) => boolean;
  readonly now: () => Date;
  readonly clock: () => number;
  readonly log: (message: string) => void;
}

export interface Discovery {
  start(signal: AbortSignal): void;
  /** A conversation that also answers about agents. */
  answering(converse: Converse): Converse;
  onConnected(): void;
  onProblem(code: string): void;
}

/** Places in which an account's runs and agents work, of which project settings are read. */
const MOST_WORKSPACES = 32;

const namespaceOf = (pid: number): string | undefined => {
  try {
    return fs.readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined; // the run has just ended
  }
};

const folderOf = (pid: number): string | undefined => {
  try {
    return fs.readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined; // it has just ended
  }
};

export const createDiscovery = (options: DiscoveryOptions): Discovery => {
  const { device, root, accounts, nobody, runs, state, report, send, now, clock, log } = options;
  const contents = createContents();
  const accountOf = (uid: number): Account => localAccount(uid) ?? { name: String(uid), uid, gid: uid, home: '/nonexistent' };
  const accountNamed = (name: string): Account =>
    accounts.find((account) => account.name === name) ?? { name, uid: -1, gid: -1, home: '/nonexistent' };
  /** The newest last. */
  const workspaces = new Map<string, Set<string>>();
  const note = (user: string, folder: string | undefined): void => {
    if (folder === undefined) return;
    const known = workspaces.get(user) ?? new Set<string>();
    known.delete(folder);
    workspaces.set(user, known.add(folder));
    const [oldest] = known;
    if (known.size > MOST_WORKSPACES && oldest !== undefined) known.delete(oldest);
  };
  const watch = createWatch({
    look: createLook(contents, log),
    contained: () => {
      const live = runs.all();
      for (const { account, cwd } of live) note(account.name, cwd);
      return new Set(live.flatMap(({ run }) => namespaceOf(run.attestation.pid) ?? []));
    },
    userOf: (uid) => accountOf(uid).name,
    policyFor: ({ agent, file, uid }) => uncontainedFor(state(), agent, file, accountOf(uid)),
    end: endAgent,
    report: (event) => {
      const { privacy } = settingsFor(state(), event.agent, event.program, accountNamed(event.osUser));
      report(discreet(event, privacy, device));
    },
    onChange: () => {
      for (const seen of watch.running()) if (!seen.contained) note(accountOf(seen.uid).name, folderOf(seen.pid));
      if (latest()?.agents.some(({ source }) => source === 'process') === true) lister.outdated();
      reporter.changed();
    },
    now,
    log,
  });
  const lister = createLister({
    accounts: () => accounts,
    machine: root ? nobody : undefined,
    workspacesOf: ({ name }) => [...(workspaces.get(name) ?? [])],
    scan: (whose, as) => scanAs(whose, as, log),
    root,
    onListed: async (programs) => {
      await contents.learn(programs);
      reporter.changed();
    },
    now,
    log,
  });
  const composed = ({ scan }: Listed): Inventory =>
    composeInventory({
      installed: scan.agents,
      servers: scan.servers,
      running: watch.running().map((seen) => ({ ...seen, user: accountOf(seen.uid).name })),
      sightings: watch.sightings.all(),
    });
  const latest = (): Inventory | undefined => {
    const listed = lister.last();
    return listed && composed(listed);
  };
  const reporter = createInventoryReporter({
    inventory: () => {
      const inventory = latest();
      if (inventory === undefined) return undefined;
      const inForce = state();
      return discreetInventory(inventory, (agent, user) => settingsFor(inForce, agent, '', accountNamed(user)).privacy, device);
    },
    send,
    now,
    clock,
    log,
  });
  const answer = async (account: Account): Promise<AgentsReport> => {
    const listed = await lister.current();
    await watch.see();
    const inForce = state();
    const inventory = inventoryFor(composed(listed), account.uid === 0 ? undefined : account.name);
    const policy = inventory.uncontained.map(
      ({ agent, program, osUser }) => [agent, uncontainedFor(inForce, agent, program, accountNamed(osUser))] as const,
    );
    return { ...inventory, listedAt: listed.at.toISOString(), policy: Object.fromEntries(policy) };
  };
  const reply = (caller: Caller): void => {
    answer(caller.account).then(
      (found) => caller.reply({ type: 'agents', report: found }),
      (error: unknown) => {
        log(`the question for agents could not be answered: ${String(error)}`);
        caller.reply({ type: 'error', code: 'agents.failed', message: 'the daemon could not look for agents; its log says why' });
      },
    );
  };
  return {
    start: (signal) => {
      watch.start(signal);
      lister.start(signal);
      signal.addEventListener('abort', reporter.stop, { once: true });
    },
    answering: (converse) => (caller) => {
      const conversation = converse(caller);
      return {
        ...conversation,
        onRequest: (request) => {
          if (request.op !== 'agents') return conversation.onRequest(request);
          if (caller.inside !== undefined) throw new CordonError('local.inside', 'agents is not for runs: ask outside');
          reply(caller);
        },
      };
    },
    onConnected: reporter.onConnected,
    onProblem: reporter.onProblem,
  };
};
