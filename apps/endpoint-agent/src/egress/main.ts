/**
 * The egress process: unprivileged, without the device key, one proxy a run. Its death closes only egress. Everything is loaded before rights are given up, since
 * the account it drops to may not be able to read this folder.
 */
import dns from 'node:dns/promises';
import fs from 'node:fs';
import os from 'node:os';
import type http from 'node:http';
import type { Socket } from 'node:net';
import { indexEgress, type EgressIndex } from '@cordon/policy/decide/egress.ts';
import { NO_EGRESS } from '@cordon/policy/effective.ts';
import type { FromEgress, ToEgress } from './messages.ts';
import { createProxy } from './proxy.ts';
import type { Lookup } from './resolve-host.ts';

interface Start {
  readonly dropTo: { readonly uid: number; readonly gid: number } | null;
  readonly hosts: Readonly<Record<string, string>>;
}

const start = JSON.parse(process.argv[2] ?? '{}') as Start;
const say = (message: FromEgress): void => {
  if (process.connected) process.send?.(message);
};

const lookup: Lookup = async (host) => {
  const fixed = start.hosts[host];
  return fixed === undefined
    ? dns.lookup(host, { all: true, order: 'verbatim' })
    : [{ address: fixed, family: fixed.includes(':') ? 6 : 4 }];
};
const own = (): ReadonlySet<string> =>
  new Set(Object.values(os.networkInterfaces()).flatMap((list) => (list ?? []).map((entry) => entry.address)));

interface Open {
  /** Whose way out it is. */
  run: string;
  readonly server: http.Server;
  /** Every connection of the run, tunnels included: they leave the server's own list. */
  readonly connections: Set<Socket>;
  rules: EgressIndex;
  readonly socket: string;
}

const runs = new Map<string, Open>();
/** Nothing is allowed. */
const NOTHING = indexEgress(NO_EGRESS);

const open = async (message: Extract<ToEgress, { type: 'open' }>): Promise<void> => {
  const { run, socket } = message;
  const connections = new Set<Socket>();
  const server = createProxy({
    run,
    rules: () => runs.get(opened.run)?.rules ?? NOTHING,
    lookup,
    own,
    decided: (decision) => say({ type: 'decision', decision: { ...decision, run: opened.run } }),
  });
  const opened: Open = { run, server, connections, rules: indexEgress(message.rules), socket };
  server.on('connection', (connection) => {
    connections.add(connection);
    connection.once('close', () => connections.delete(connection));
  });
  runs.set(run, opened);
  await new Promise<void>((resolve, reject) => server.on('error', reject).listen(socket, resolve));
  fs.chmodSync(socket, 0o600);
};

/** @returns what went wrong */
const assign = ({ name, run, rules }: Extract<ToEgress, { type: 'assign' }>): string | undefined => {
  const found = runs.get(name);
  if (found === undefined) return `nothing is open under ${name}`;
  runs.delete(name);
  found.run = run;
  found.rules = indexEgress(rules);
  runs.set(run, found);
  return undefined;
};

const cut = ({ connections }: Open): void => {
  for (const connection of connections) connection.destroy();
};

const close = (run: string): void => {
  const found = runs.get(run);
  if (found === undefined) return;
  runs.delete(run);
  found.server.close();
  cut(found);
};

process.on('message', (message: ToEgress) => {
  switch (message.type) {
    case 'open':
      open(message).then(
        () => say({ type: 'done', id: message.id }),
        (error: unknown) => say({ type: 'done', id: message.id, error: error instanceof Error ? error.message : String(error) }),
      );
      break;
    case 'assign': {
      const error = assign(message);
      say({ type: 'done', id: message.id, ...(error !== undefined && { error }) });
      break;
    }
    case 'update': {
      const found = runs.get(message.run);
      if (found !== undefined) {
        found.rules = indexEgress(message.rules);
        // A tightened policy must not leave old connections open; what is still allowed connects again.
        cut(found);
      }
      break;
    }
    case 'close':
      close(message.run);
      say({ type: 'done', id: message.id });
      break;
  }
});
process.on('disconnect', () => process.exit(0));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(0));

await dns.lookup('localhost', { all: true }).catch(() => []); // loads the resolver's libraries
if (start.dropTo !== null && process.setgroups && process.setgid && process.setuid) {
  process.setgroups([]);
  process.setgid(start.dropTo.gid);
  process.setuid(start.dropTo.uid);
}
say({ type: 'ready' });
