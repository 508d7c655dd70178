/** `cordonctl keys token`: describes the online keys that a PKCS#11 token made and keeps. It reads public halves only, so it needs no PIN. */
import { spawnSync } from 'node:child_process';
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

const HELPER = path.join(import.meta.dirname, '../../../control-plane/src/signer/pkcs11.py');

/** @throws CordonError `keys.token` */
const publicHalf = ({ python, module, token, environment }: Where, role: string, id: string): ReturnType<typeof checkPublicKey> => {
  const { stdout, error } = spawnSync(python, [HELPER, module, token], {
    input: `\npublic ${id}\n`, // without a PIN
    env: { ...environment, PATH: '/usr/bin:/bin' },
    timeout: 10_000,
    encoding: 'utf8',
  });
  const [opened = '', answer = ''] = (stdout ?? '').split('\n');
  if (!answer.startsWith('ok '))
    return refuse(
      `the token ${token} gives no public key ${id} for ${role} (${error?.message ?? (answer || opened)}): make an Ed25519 key there with this CKA_ID, such as pkcs11-tool --login --keypairgen --key-type EC:edwards25519 --id ${id}`,
      error,
    );
  try {
    return checkPublicKey({ kty: 'OKP', crv: 'Ed25519', x: Buffer.from(answer.slice(3), 'base64').toString('base64url') });
  } catch (cause) {
    return refuse(`the key ${id} in ${token} is no Ed25519 key`, cause);
  }
};

/** @throws CordonError `keys.token` */
export const describeToken = (where: Where, ids: KeyIds): KeyToken => {
  const [policy, checkpoint, identity] = ONLINE_ROLES.map((role) => ({ id: ids[role], jwk: publicHalf(where, role, ids[role]) }));
  const described = readKeyToken({ format: 'cordon-pkcs11/1', ...where, keys: { policy, checkpoint, identity } });
  return described ?? refuse('python and module are absolute paths of plain characters, and the label of a token has at most 32 of them');
};

export const tokenCommand = async (args: readonly string[]): Promise<number> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      module: { type: 'string' },
      token: { type: 'string' },
      out: { type: 'string' },
      python: { type: 'string', default: '/usr/bin/python3' },
      policy: { type: 'string', default: '01' },
      checkpoint: { type: 'string', default: '02' },
      identity: { type: 'string', default: '03' },
      env: { type: 'string', multiple: true, default: [] },
    },
  });
  const { module, token, out, python, policy, checkpoint, identity } = values;
  if (module === undefined || token === undefined || out === undefined)
    throw new CordonError(
      'cli.usage',
      'cordonctl keys token --module FILE --token LABEL --out FILE [--policy 01] [--checkpoint 02] [--identity 03] [--env NAME=VALUE]',
    );
  const environment = Object.fromEntries(values.env.map((pair) => [pair.split('=')[0] ?? '', pair.slice(pair.indexOf('=') + 1)]));
  writeNew(out, `${JSON.stringify(describeToken({ python, module, token, environment }, { policy, checkpoint, identity }), null, 1)}\n`);
  process.stdout.write(
    `${path.resolve(out)} describes the keys in ${token}: give it to cordonctl keys init or keys rotate checkpoint as --online\n`,
  );
  return 0;
};
