/** `cordonctl keys rotate` and `raise-epoch`: the next root of an organisation, signed by the keys of the one before and by its own. */
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { CordonError } from '@cordon/policy/errors.ts';
import { nextRoot, ROLE_NAMES, signFloor, signRoot, type RootChange } from '@cordon/policy/trust/founding.ts';
import { verifyFloor } from '@cordon/policy/trust/floor.ts';
import type { RoleName } from '@cordon/policy/trust/root.ts';
import { verifyRootChain } from '@cordon/policy/trust/root.ts';
import { inNewFolder, writeNew } from '../files.ts';
import { count, PIN_NEEDED, witnessCount } from './init.ts';
import { makeKeys, makeOnlineKeys, openKey, takeOnlineKeys } from './key-file.ts';
import { organisationText, readOrganisation, type Organisation } from './organisation-file.ts';

const DAY_MS = 86_400_000;

export interface Rotation {
  readonly organisation: string;
  /** Sealed key files of root keys. */
  readonly with: readonly string[];
  readonly out: string;
  readonly days: number;
  readonly now: Date;
  /** For the online roles: describes a token that has the keys; otherwise they are made here. */
  readonly online?: string | undefined;
  /** In the same version: what older keys signed counts no more, wherever it turns up. */
  readonly raiseEpoch?: boolean;
  /** For the role of the witnesses: how many from now on, none to demand them no longer; as many as before unless said. */
  readonly witnesses?: { readonly count: number; readonly threshold: number };
}

type Key = ReturnType<typeof openKey>;

interface Change {
  readonly changes: readonly Pick<RootChange, 'role' | 'keys' | 'raiseEpoch'>[];
  /** Of the new keys: those that sign the root, and those that sign the floor. */
  readonly signers?: readonly Key[];
  readonly floorSigners?: readonly Key[];
}

/** The online keys lie in one file: rotating one of them makes all three anew. */
const changeFor = (role: RoleName, { trusted }: Organisation, { out: folder, online: token, witnesses }: Rotation): Change => {
  if (role === 'policy' || role === 'checkpoint' || role === 'identity') {
    const server = path.join(folder, 'server');
    fs.mkdirSync(server, { mode: 0o700 });
    const online = token === undefined ? makeOnlineKeys(server) : takeOnlineKeys(token, server);
    return {
      changes: (['policy', 'checkpoint', 'identity'] as const).map((name) => ({
        role: name,
        keys: { threshold: 1, keys: [online[name].jwk] },
      })),
    };
  }
  const before = trusted.document.roles[role];
  const { count: number, threshold } = (role === 'witness' ? witnesses : undefined) ?? {
    count: before?.keys.length ?? 1,
    threshold: before?.threshold ?? 1,
  };
  const made = makeKeys(folder, role, number);
  const changes = [{ role, keys: { threshold, keys: made.map(({ jwk }) => jwk) } }];
  return { changes, ...(role === 'root' && { signers: made }), ...(role === 'floor' && { floorSigners: made }) };
};

/** The floor says what it said, signed by keys that the next root names. */
const signAgain = async ({ org, floor, trusted }: Organisation, signers: readonly Key[]): Promise<string> => {
  const { version, document } = await verifyFloor(floor, trusted);
  return signFloor(org, version + 1, document, signers);
};

const write = async (organisation: Organisation, { changes, signers = [], floorSigners }: Change, rotation: Rotation): Promise<number> => {
  const { document } = organisation.trusted;
  const expiresAt = new Date(rotation.now.getTime() + rotation.days * DAY_MS);
  const changed = changes.reduce(
    (root, change) => ({ ...nextRoot(root, { ...change, expiresAt }), version: document.version + 1 }),
    document,
  );
  const old = rotation.with.map(openKey);
  const roots = [...organisation.roots, await signRoot(changed, [...new Map([...old, ...signers].map((key) => [key.kid, key])).values()])];
  const floor = floorSigners === undefined ? organisation.floor : await signAgain(organisation, floorSigners);
  // What is written is what every device will accept: too few keys, or the wrong ones, are found here.
  await verifyFloor(floor, await verifyRootChain(roots, organisation.fingerprint, rotation.now));
  fs.mkdirSync(path.join(rotation.out, 'server'), { recursive: true, mode: 0o700 });
  writeNew(path.join(rotation.out, 'server', 'organisation.json'), organisationText({ ...organisation, roots, floor }));
  return changed.version;
};

/** @throws CordonError `root.threshold` when the keys given do not suffice, `files.*`, `keys.sealed` */
export const rotate = async (role: RoleName, rotation: Rotation): Promise<number> => {
  const organisation = await readOrganisation(rotation.organisation, rotation.now);
  return inNewFolder(rotation.out, () => {
    const { changes, ...signing } = changeFor(role, organisation, rotation);
    return write(organisation, { ...signing, changes: rotation.raiseEpoch ? [...changes, { raiseEpoch: true }] : changes }, rotation);
  });
};

/** @throws CordonError as above */
export const raiseEpoch = async (rotation: Rotation): Promise<number> => {
  const organisation = await readOrganisation(rotation.organisation, rotation.now);
  return inNewFolder(rotation.out, () => write(organisation, { changes: [{ raiseEpoch: true }] }, rotation));
};

const rotationFrom = (args: readonly string[]): { readonly rotation: Rotation; readonly words: readonly string[] } => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      organisation: { type: 'string' },
      with: { type: 'string', multiple: true },
      out: { type: 'string' },
      days: { type: 'string', default: '365' },
      online: { type: 'string' },
      'raise-epoch': { type: 'boolean', default: false },
      witnesses: { type: 'string' },
      'witness-threshold': { type: 'string' },
    },
  });
  const { organisation, out } = values;
  if (organisation === undefined || out === undefined || values.with === undefined)
    throw new CordonError('cli.usage', 'needed: --organisation FILE, --with KEYFILE for each root key that signs, and --out DIR');
  return {
    rotation: {
      organisation,
      out,
      with: values.with,
      days: count('days', values.days, 1, 3650),
      now: new Date(),
      online: values.online,
      raiseEpoch: values['raise-epoch'],
      ...(values.witnesses !== undefined && { witnesses: witnessCount(values.witnesses, values['witness-threshold']) }),
    },
    words: positionals,
  };
};

const tell = (version: number, out: string): void =>
  void process.stdout.write(
    `root version ${version} lies in ${path.join(out, 'server')}: start the server once with CORDON_ORGANISATION=${path.join(out, 'server')}\n`,
  );

export const rotateCommand = async (args: readonly string[]): Promise<number> => {
  const { rotation, words } = rotationFrom(args);
  const role = ROLE_NAMES.find((name) => name === words[0]);
  if (role === undefined) throw new CordonError('cli.usage', `name one of the roles ${ROLE_NAMES.join(', ')}`);
  if (rotation.online !== undefined && !['policy', 'checkpoint', 'identity'].includes(role))
    throw new CordonError('cli.usage', `--online is for the online keys, and ${role} is an offline one`);
  if (rotation.witnesses !== undefined && role !== 'witness')
    throw new CordonError('cli.usage', `--witnesses is for the role witness, not for ${role}`);
  tell(await rotate(role, rotation), rotation.out);
  if (rotation.online !== undefined) process.stdout.write(PIN_NEEDED);
  return 0;
};

export const raiseEpochCommand = async (args: readonly string[]): Promise<number> => {
  const { rotation } = rotationFrom(args);
  tell(await raiseEpoch(rotation), rotation.out);
  return 0;
};
