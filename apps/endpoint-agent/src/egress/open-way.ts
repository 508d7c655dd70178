/** The way out of one run: a proxy on a socket of its own, and what changes about it while it is open. */
import fs from 'node:fs';
import type { Socket } from 'node:net';
import type { EgressRules } from '@cordon/policy/egress-rules.ts';
import { createBudget, type Budget } from './budget.ts';
import { createHolding } from './held.ts';
import type { Decision, Opening } from './messages.ts';
import { createProxy } from './proxy.ts';
import { createResolver, type Lookup } from './resolve-host.ts';
import { rulesOf } from './rules.ts';
import type { Way } from './way.ts';

export interface Shared extends Pick<Way, 'reserved'> {
  readonly lookup: Lookup;
  /** Addresses of this machine's interfaces. */
  readonly own: () => ReadonlySet<string>;
  readonly upstream: () => Way['upstream'];
  readonly origination: (run: string) => Way['origination'];
  readonly decided: (decision: Decision) => void;
  readonly budgetOf: (run: string) => Budget | undefined;
}

export interface OpenWay {
  readonly budget: Budget;
  /** It is another run's from now on. */
  assign(opening: Opening): void;
  /** What the new rules do not allow any more is cut; everything else goes on. */
  update(rules: EgressRules): void;
  close(): void;
}

/** Listens when it returns. */
export const openWay = async (socket: string, opening: Opening, shared: Shared): Promise<OpenWay> => {
  let { run, parent } = opening;
  let rules = rulesOf(opening.rules);
  /** Every connection of the run, tunnels included: they leave the server's own list. */
  const connections = new Set<Socket>();
  const holding = createHolding();
  const exhausted = (): void => holding.cutAll({ rule: `resources.${budget.exhausted() ?? 'upload'}`, code: 'egress.budget' });
  const budget = createBudget(
    () => rules.budget,
    exhausted,
    () => (parent === null ? undefined : shared.budgetOf(parent)),
  );
  const server = createProxy({
    rules: () => rules,
    budget,
    holding,
    resolver: createResolver(shared.lookup, shared.own),
    reserved: shared.reserved,
    get upstream() {
      return shared.upstream();
    },
    get origination() {
      return shared.origination(run);
    },
    decided: (decision) => shared.decided({ ...decision, run }),
  });
  server.on('connection', (connection) => {
    connections.add(connection);
    connection.once('close', () => connections.delete(connection));
  });
  fs.rmSync(socket, { force: true }); // of a process that died
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socket, resolve));
  server.on('error', () => undefined); // of one connection that could not be accepted
  fs.chmodSync(socket, 0o600);
  return {
    budget,
    assign: (next) => {
      ({ run, parent } = next);
      rules = rulesOf(next.rules);
    },
    update: (next) => {
      rules = rulesOf(next);
      if (budget.exhausted() !== undefined) exhausted();
      holding.judgeAgain(rules);
    },
    close: () => {
      server.close();
      for (const connection of connections) connection.destroy();
    },
  };
};
