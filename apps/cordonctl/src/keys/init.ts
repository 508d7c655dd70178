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
import { makeKeys, makeOnlineKeys, takeOnlineKeys } from './key-file.ts';
import { organisationText } from './organisation-file.ts';

const DAY_MS = 86_400_000;

export interface Ceremony {
  readonly out: string;
  readonly rootKeys: number;
  readonly rootThreshold: number;
  readonly approvers: number;
  /** How many of them it takes to approve what loosens; one when it is not said. */
  readonly approverThreshold?: number;
  /** Independent followers, so many of whom must cosign each checkpoint; none are demanded when there are none. */
  readonly witnesses?: { readonly count: number; readonly threshold: number };
  readonly floor: PolicyDocument;
  readonly days: number;
  readonly now: Date;
  /** Describes a token that has the online keys; otherwise they are made here. */
  readonly online?: string | undefined;
}

const DEFAULT_FLOOR: PolicyDocument = {
  apiVersion: 'cordon/v1',
  kind: 'ContainmentPolicy',
  metadata: { name: 'floor', description: 'What no policy of this organisation may go below' },
  spec: { limit: { resources: { timeout: '7d' } } },
};

/** What only the server's administrator can add. */
export const PIN_NEEDED = "  the token's PIN    write it into a file named passphrase, mode 0600, in the server's copy\n";

/** A whole number between bounds. @throws CordonError `cli.usage` */
export const count = (name: string, text: string, least: number, most: number): number => {
  const value = Number(text);
  if (/^\d{1,4}$/.test(text) && value >= least && value <= most) return value;
  throw new CordonError('cli.usage', `--${name} is a number from ${least} to ${most}, not ${text}`);
};

/** Unless said otherwise, more than half of the witnesses must cosign. @throws CordonError `cli.usage` */
export const witnessCount = (witnesses: string, threshold: string | undefined): NonNullable<Ceremony['witnesses']> => {
  const number = count('witnesses', witnesses, 0, 16);
  return {
    count: number,
    threshold: threshold === undefined ? Math.floor(number / 2) + 1 : count('witness-threshold', threshold, 1, Math.max(1, number)),
  };
};

interface Held {
  readonly fingerprint: string;
  readonly server: string;
}

const NO_WITNESSES = { count: 0, threshold: 1 } as const;

const makeAll = async (ceremony: Ceremony): Promise<Held> => {
  const {
    out,
    rootKeys,
    rootThreshold,
    approvers,
    approverThreshold = 1,
    witnesses = NO_WITNESSES,
    floor,
    days,
    now,
    online: token,
  } = ceremony;
  const server = path.join(out, 'server');
  fs.mkdirSync(server, { mode: 0o700 });
  const named = (role: string, number: number) => makeKeys(out, role, number);
  const [roots, floors, approving] = [named('root', rootKeys), named('floor', 1), named('approver', approvers)];
  const witnessing = named('witness', witnesses.count);
  const online = token === undefined ? makeOnlineKeys(server) : takeOnlineKeys(token, server);
  const org = `org_${randomBytes(15).toString('base64url')}`;
  const jwks = (keys: readonly { readonly jwk: (typeof roots)[number]['jwk'] }[]) => keys.map(({ jwk }) => jwk);
  const document = firstRoot({
    org,
    expiresAt: new Date(now.getTime() + days * DAY_MS),
    roles: {
      root: { threshold: rootThreshold, keys: jwks(roots) },
      floor: { threshold: 1, keys: jwks(floors) },
      approver: { threshold: approverThreshold, keys: jwks(approving) },
      policy: { threshold: 1, keys: [online.policy.jwk] },
      checkpoint: { threshold: 1, keys: [online.checkpoint.jwk] },
      identity: { threshold: 1, keys: [online.identity.jwk] },
      ...(witnessing.length > 0 && { witness: { threshold: witnesses.threshold, keys: jwks(witnessing) } }),
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
      'approver-threshold': { type: 'string', default: '1' },
      witnesses: { type: 'string', default: '0' },
      'witness-threshold': { type: 'string' },
      floor: { type: 'string' },
      days: { type: 'string', default: '365' },
      online: { type: 'string' },
    },
  });
  if (values.out === undefined) throw new CordonError('cli.usage', 'cordonctl keys init --out DIR: where the keys are to lie');
  const rootKeys = count('root-keys', values['root-keys'], 1, 16);
  const approvers = count('approvers', values.approvers, 1, 16);
  const { fingerprint, server } = await holdCeremony({
    out: values.out,
    rootKeys,
    rootThreshold: count('root-threshold', values['root-threshold'], 1, rootKeys),
    approvers,
    approverThreshold: count('approver-threshold', values['approver-threshold'], 1, approvers),
    witnesses: witnessCount(values.witnesses, values['witness-threshold']),
    floor: values.floor === undefined ? DEFAULT_FLOOR : parsePolicy(readText(values.floor)).document,
    days: count('days', values.days, 1, 3650),
    now: new Date(),
    online: values.online,
  });
  process.stdout.write(`made the keys of an organisation in ${values.out}
  root fingerprint   ${fingerprint}
  for the server     ${server}: copy it there, start once with CORDON_ORGANISATION naming the copy, then delete the copy
${values.online === undefined ? '' : PIN_NEEDED}  keep here          ${path.join(server, 'organisation.json')}: every later change of the keys begins with it
  keep offline       root, floor and approver keys: give each .key to one person and its .passphrase to that person by another way
`);
  return 0;
};
