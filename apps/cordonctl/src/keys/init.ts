/** `cordonctl keys init`: the ceremony of a new organisation. Offline: nothing here opens a connection. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { firstRoot, signFloor, signRoot } from '@cordon/policy/trust/founding.ts';
import { rootFingerprint } from '@cordon/policy/trust/root.ts';
import { inNewFolder, readText, writeNew } from '../files.ts';
import { makeKey, makeOnlineKeys } from './key-file.ts';
import { organisationText } from './organisation-file.ts';

const DAY_MS = 86_400_000;

export interface Ceremony {
  readonly out: string;
  readonly rootKeys: number;
  readonly rootThreshold: number;
  readonly approvers: number;
  readonly floor: PolicyDocument;
  readonly days: number;
  readonly now: Date;
}

const DEFAULT_FLOOR: PolicyDocument = {
  apiVersion: 'cordon/v1',
  kind: 'ContainmentPolicy',
  metadata: { name: 'floor', description: 'What no policy of this organisation may go below' },
  spec: { limit: { resources: { timeout: '7d' } } },
};

/** A whole number between bounds. @throws CordonError `cli.usage` */
export const count = (name: string, text: string, least: number, most: number): number => {
  const value = Number(text);
  if (/^\d{1,4}$/.test(text) && value >= least && value <= most) return value;
  throw new CordonError('cli.usage', `--${name} is a number from ${least} to ${most}, not ${text}`);
};

interface Held {
  readonly fingerprint: string;
  readonly server: string;
}

const makeAll = async ({ out, rootKeys, rootThreshold, approvers, floor, days, now }: Ceremony): Promise<Held> => {
  const server = path.join(out, 'server');
  fs.mkdirSync(server, { mode: 0o700 });
  const named = (name: string, number: number) =>
    Array.from({ length: number }, (_, i) => makeKey(path.join(out, number === 1 ? `${name}.key` : `${name}-${i + 1}.key`)));
  const [roots, floors, approving] = [named('root', rootKeys), named('floor', 1), named('approver', approvers)];
  const online = makeOnlineKeys(server);
  const org = `org_${randomBytes(15).toString('base64url')}`;
  const jwks = (keys: readonly { readonly jwk: (typeof roots)[number]['jwk'] }[]) => keys.map(({ jwk }) => jwk);
  const document = firstRoot({
    org,
    expiresAt: new Date(now.getTime() + days * DAY_MS),
    roles: {
      root: { threshold: rootThreshold, keys: jwks(roots) },
      floor: { threshold: 1, keys: jwks(floors) },
      approver: { threshold: 1, keys: jwks(approving) },
      policy: { threshold: 1, keys: [online.policy.jwk] },
      checkpoint: { threshold: 1, keys: [online.checkpoint.jwk] },
      identity: { threshold: 1, keys: [online.identity.jwk] },
    },
  });
  const root = await signRoot(document, roots);
  writeNew(path.join(server, 'organisation.json'), organisationText({ org, roots: [root], floor: await signFloor(org, 1, floor, floors) }));
  return { fingerprint: rootFingerprint(root), server };
};

/** @returns the root's fingerprint and where the files lie */
export const holdCeremony = (ceremony: Ceremony): Promise<Held> => inNewFolder(ceremony.out, () => makeAll(ceremony));

export const initCommand = async (args: readonly string[]): Promise<number> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      out: { type: 'string' },
      'root-keys': { type: 'string', default: '3' },
      'root-threshold': { type: 'string', default: '2' },
      approvers: { type: 'string', default: '1' },
      floor: { type: 'string' },
      days: { type: 'string', default: '365' },
    },
  });
  if (values.out === undefined) throw new CordonError('cli.usage', 'cordonctl keys init --out DIR: where the keys are to lie');
  const rootKeys = count('root-keys', values['root-keys'], 1, 16);
  const { fingerprint, server } = await holdCeremony({
    out: values.out,
    rootKeys,
    rootThreshold: count('root-threshold', values['root-threshold'], 1, rootKeys),
    approvers: count('approvers', values.approvers, 1, 16),
    floor: values.floor === undefined ? DEFAULT_FLOOR : parsePolicy(readText(values.floor)).document,
    days: count('days', values.days, 1, 3650),
    now: new Date(),
  });
  process.stdout.write(`made the keys of an organisation in ${values.out}
  root fingerprint   ${fingerprint}
  for the server     ${server}: copy it there, start once with CORDON_ORGANISATION naming the copy, then delete the copy
  keep here          ${path.join(server, 'organisation.json')}: every later change of the keys begins with it
  keep offline       root, floor and approver keys: give each .key to one person and its .passphrase to that person by another way
`);
  return 0;
};
