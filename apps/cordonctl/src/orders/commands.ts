/** `cordonctl maintenance grant` and `cordonctl retire`: signed here with approvers' own keys, and brought to the control plane once enough of them have. */
import { parseArgs } from 'node:util';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import type { OrderKind } from '@cordon/policy/protocol/orders.ts';
import { openGeneral, signGeneral, type ObjectType } from '@cordon/policy/trust/envelope.ts';
import { MAX_RETIREMENT_MS } from '@cordon/policy/trust/orders.ts';
import { rootFingerprint, verifyRootChain, type TrustedRoot } from '@cordon/policy/trust/root.ts';
import { visible } from '@cordon/policy/visible.ts';
import { createClient, type Client } from '../api/client.ts';
import { CONNECTION_OPTIONS, connectionFrom } from '../api/connection.ts';
import { readText, writeNew } from '../files.ts';
import { openKey } from '../keys/key-file.ts';
import { historyServer } from '../witness/server.ts';
import { addSignatures, grantOf, retirementOf } from './order.ts';

const OPTIONS = {
  ...CONNECTION_OPTIONS,
  device: { type: 'string' },
  boot: { type: 'string' },
  hours: { type: 'string' },
  key: { type: 'string', multiple: true },
  add: { type: 'string' },
  out: { type: 'string' },
} as const;
const TYPES: Readonly<Record<OrderKind, ObjectType>> = { maintenance: 'cordon-maintenance+jws', retirement: 'cordon-retirement+jws' };
const USAGE: Readonly<Record<OrderKind, string>> = {
  maintenance: 'cordonctl maintenance grant --device ID --hours N --key KEYFILE... [--boot ID] [--add FILE] [--out FILE]',
  retirement: 'cordonctl retire --device ID --key KEYFILE... [--hours 720] [--add FILE] [--out FILE]',
};

const say = (line: string): void => void process.stdout.write(`${visible(line)}\n`);
const brought = Compile(Type.Object({ digest: Type.String(), state: Type.String() }));
const integrity = Compile(Type.Object({ machineBoot: Type.Union([Type.String(), Type.Null()]) }));

/** Whose approvers count. What the server says of its roots is only used to sign what a device may accept; the device judges by its own. */
const rootOf = async (client: Client, now: Date): Promise<TrustedRoot> => {
  const { roots } = await historyServer(client).roots();
  return verifyRootChain(roots, rootFingerprint(roots[0] ?? ''), now);
};

const bootOf = async (client: Client, device: string): Promise<string> => {
  const { machineBoot } = await client.get(`/devices/${encodeURIComponent(device)}/integrity`, integrity);
  if (machineBoot === null) throw new CordonError('maintenance.boot', `${device} does not name the boots of its machine: no grant fits it`);
  return machineBoot;
};

const order = async (kind: OrderKind, args: readonly string[]): Promise<number> => {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const { device, add, out, key: files = [] } = values;
  const hours = Number(values.hours ?? (kind === 'retirement' ? MAX_RETIREMENT_MS / 3_600_000 : Number.NaN));
  if (device === undefined || files.length === 0 || (add === undefined && Number.isNaN(hours)))
    throw new CordonError('cli.usage', USAGE[kind]);
  const client = createClient(connectionFrom(values));
  const now = new Date();
  const root = await rootOf(client, now);
  const keys = files.map(openKey);
  const wanted = { root: root.document, device, now, hours };
  const text =
    add === undefined
      ? await signGeneral(
          kind === 'maintenance' ? grantOf(wanted, values.boot ?? (await bootOf(client, device))) : retirementOf(wanted),
          TYPES[kind],
          keys,
        )
      : await addSignatures(readText(add), TYPES[kind], keys);
  const { kids } = await openGeneral(text, { typ: TYPES[kind], keys: root.keys('approver'), maxBytes: 16_384 });
  const missing = root.document.roles.approver.threshold - kids.size;
  if (out !== undefined) {
    writeNew(out, text);
    say(`wrote ${out}: ${kids.size} approvers have signed it${missing > 0 ? `, ${missing} more must: they go on with --add ${out}` : ''}`);
    return 0;
  }
  if (missing > 0)
    throw new CordonError(
      `${kind}.threshold`,
      `${kids.size} of ${root.document.roles.approver.threshold} approver keys have signed: name more with --key, or pass it on with --out FILE`,
    );
  const { state } = await client.post(`/devices/${encodeURIComponent(device)}/orders`, { order: kind, text }, brought);
  say(`${kind === 'maintenance' ? 'the maintenance grant' : 'the retirement'} of ${device} is with the control plane: ${state}`);
  return 0;
};

export const maintenanceCommand = (args: readonly string[]): Promise<number> => order('maintenance', args);
export const retireCommand = (args: readonly string[]): Promise<number> => order('retirement', args);
