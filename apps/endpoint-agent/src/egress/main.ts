/**
 * The egress process: unprivileged, without the device key, one proxy a run. Its death closes only egress. Everything is loaded before rights are given up, since
 * the account it drops to may not be able to read this folder.
 */
import dns from 'node:dns/promises';
import os from 'node:os';
import { CordonError } from '@cordon/policy/errors.ts';
import { LIMITS } from './limits.ts';
import type { FromEgress, Start, ToEgress } from './messages.ts';
import type { Attachment } from './originate.ts';
import { openWay, type OpenWay, type Shared } from './open-way.ts';
import { createReserved } from './reserved.ts';
import type { Lookup } from './resolve-host.ts';
import { createTelling } from './telling.ts';

const start = JSON.parse(process.argv[2] ?? '{}') as Start;
const say = (message: FromEgress, sent: () => void = () => undefined): void => {
  if (process.connected) process.send?.(message, undefined, {}, sent);
  else sent();
};

const lookup: Lookup = async (host) => {
  const fixed = start.hosts[host];
  return fixed === undefined
    ? dns.lookup(host, { all: true, order: 'verbatim' })
    : [{ address: fixed, family: fixed.includes(':') ? 6 : 4 }];
};

/** Asking the kernel costs more than the rest of a decision. */
const ownAddresses = (): (() => ReadonlySet<string>) => {
  let known: { readonly addresses: ReadonlySet<string>; readonly until: number } | undefined;
  return () => {
    if (known === undefined || performance.now() > known.until) {
      const addresses = Object.values(os.networkInterfaces()).flatMap((list) => (list ?? []).map((entry) => entry.address));
      known = { addresses: new Set(addresses), until: performance.now() + LIMITS.ownMs };
    }
    return known.addresses;
  };
};

const ways = new Map<string, OpenWay>();
let settings: Extract<ToEgress, { type: 'settings' }> = { type: 'settings', upstream: null, ca: [], attaches: false };

/** What the daemon was asked to attach; it alone has the key. */
const asked = new Map<number, (answer: Extract<ToEgress, { type: 'attached' }>) => void>();
let lastAsked = 0;
const attach = async (run: string, host: string): Promise<Attachment | undefined> => {
  const id = (lastAsked += 1);
  const answered = new Promise<Extract<ToEgress, { type: 'attached' }>>((resolve) => asked.set(id, resolve));
  say({ type: 'attach', id, run, host });
  const { attachment, error } = await answered;
  asked.delete(id);
  if (error !== undefined)
    throw new CordonError('egress.identity', `the identity of this run is not to be had: ${error}`, { retryable: true });
  return attachment;
};

const shared: Shared = {
  lookup,
  own: ownAddresses(),
  reserved: createReserved(start.reserved, lookup),
  upstream: () => settings.upstream ?? undefined,
  origination: (run) => (settings.attaches ? { attach: (host) => attach(run, host), ca: settings.ca } : undefined),
  decided: createTelling(say),
  budgetOf: (run) => ways.get(run)?.budget,
};

const open = async ({ run, socket, ...opening }: Extract<ToEgress, { type: 'open' }>): Promise<void> =>
  void ways.set(run, await openWay(socket, { run, ...opening }, shared));

const assign = ({ name, ...opening }: Extract<ToEgress, { type: 'assign' }>): void => {
  const found = ways.get(name);
  if (found === undefined) throw new Error(`nothing is open under ${name}`);
  ways.delete(name);
  found.assign(opening);
  ways.set(opening.run, found);
};

const answer = (id: number, work: () => Promise<void> | void): void =>
  void (async () => work())().then(
    () => say({ type: 'done', id }),
    (error: unknown) => say({ type: 'done', id, error: error instanceof Error ? error.message : String(error) }),
  );

process.on('message', (message: ToEgress) => {
  switch (message.type) {
    case 'settings':
      settings = message;
      break;
    case 'attached':
      asked.get(message.id)?.(message);
      break;
    case 'open':
      answer(message.id, () => open(message));
      break;
    case 'assign':
      answer(message.id, () => assign(message));
      break;
    case 'update':
      ways.get(message.run)?.update(message.rules);
      break;
    case 'close':
      answer(message.id, () => {
        ways.get(message.run)?.close();
        ways.delete(message.run);
      });
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
