/** `cordonctl keys token`: describes the online keys that a PKCS#11 token made and keeps. It reads public halves only, so it needs no PIN. */
import { spawnSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { CordonError } from '@cordon/policy/errors.ts';
import { readKeyToken, type KeyToken } from '@cordon/policy/trust/key-token.ts';
import { checkPublicKey } from '@cordon/policy/trust/keys.ts';
import { writeNew } from '../files.ts';
import { ONLINE_ROLES } from './key-file.ts';

type Where = Omit<KeyToken, 'format' | 'keys'>;
/** CKA_ID of each role's key. */
export type KeyIds = Readonly<Record<(typeof ONLINE_ROLES)[number], string>>;

const refuse = (message: string, cause?: unknown): never => {
  throw new CordonError('keys.token', message, { cause });
};

/** Newer versions of the tool write DER, older ones PEM. */
const readPublic = (bytes: Buffer): ReturnType<typeof checkPublicKey> => {
  const key = bytes.includes('BEGIN PUBLIC KEY') ? createPublicKey(bytes) : createPublicKey({ key: bytes, format: 'der', type: 'spki' });
  return checkPublicKey(key.export({ format: 'jwk' }));
};

/** @throws CordonError `keys.token` */
const publicHalf = ({ tool, module, token, environment }: Where, role: string, id: string): ReturnType<typeof checkPublicKey> => {
  const args = ['--module', module, '--token-label', token, '--read-object', '--type', 'pubkey', '--id', id];
  const { status, stdout, stderr, error } = spawnSync(tool, args, { env: { ...environment, PATH: '/usr/bin:/bin' }, timeout: 10_000 });
  if (status !== 0 || stdout.length === 0)
    return refuse(
      `the token ${token} gives no public key ${id} for ${role} (${error?.message ?? stderr.toString().trim()}): make it with ${tool} --login --keypairgen --key-type EC:edwards25519 --id ${id} --label cordon-${role}`,
      error,
    );
  try {
    return readPublic(stdout);
  } catch (cause) {
    return refuse(`the key ${id} in ${token} is no Ed25519 key`, cause);
  }
};

/** @throws CordonError `keys.token` */
export const describeToken = (where: Where, ids: KeyIds): KeyToken => {
  const [policy, checkpoint, identity] = ONLINE_ROLES.map((role) => ({ id: ids[role], jwk: publicHalf(where, role, ids[role]) }));
  const described = readKeyToken({ format: 'cordon-pkcs11/1', ...where, keys: { policy, checkpoint, identity } });
  return described ?? refuse('tool and module are absolute paths of plain characters, and the label of a token has at most 32 of them');
};

export const tokenCommand = async (args: readonly string[]): Promise<number> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      module: { type: 'string' },
      token: { type: 'string' },
      out: { type: 'string' },
      tool: { type: 'string', default: '/usr/bin/pkcs11-tool' },
      policy: { type: 'string', default: '01' },
      checkpoint: { type: 'string', default: '02' },
      identity: { type: 'string', default: '03' },
      env: { type: 'string', multiple: true, default: [] },
    },
  });
  const { module, token, out, tool, policy, checkpoint, identity } = values;
  if (module === undefined || token === undefined || out === undefined)
    throw new CordonError(
      'cli.usage',
      'cordonctl keys token --module FILE --token LABEL --out FILE [--policy 01] [--checkpoint 02] [--identity 03] [--env NAME=VALUE]',
    );
  const environment = Object.fromEntries(values.env.map((pair) => [pair.split('=')[0] ?? '', pair.slice(pair.indexOf('=') + 1)]));
  writeNew(out, `${JSON.stringify(describeToken({ tool, module, token, environment }, { policy, checkpoint, identity }), null, 1)}\n`);
  process.stdout.write(
    `${path.resolve(out)} describes the keys in ${token}: give it to cordonctl keys init or keys rotate checkpoint as --online\n`,
  );
  return 0;
};
