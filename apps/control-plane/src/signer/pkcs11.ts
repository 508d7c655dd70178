/**
 * Online keys that never leave a PKCS#11 token (a hardware module, a key service's module, SoftHSM): each signature is asked of `pkcs11.py`, a process beside the signer that
 * logs in once and stays. The PIN goes to it through a pipe: it stands in a private file, and in no argument and no environment. About 1 ms a signature with SoftHSM.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import path from 'node:path';
import readline from 'node:readline';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Signer } from '@cordon/policy/trust/envelope.ts';
import type { KeyToken } from '@cordon/policy/trust/key-token.ts';
import { checkPublicKey, thumbprint } from '@cordon/policy/trust/keys.ts';

const ANSWER_MS = 8000;

const refusal = (why: string): CordonError => new CordonError('signer.token', `the token gave no signature: ${why}`);

/** The process and its conversation: one question, one answer, in order. */
interface Conversation {
  ask(line: string): Promise<string>;
}

/** @throws CordonError `signer.token` when it does not log in */
const open = async ({ python, module, token, environment }: KeyToken, pin: string): Promise<Conversation> => {
  const child: ChildProcessWithoutNullStreams = spawn(python, [path.join(import.meta.dirname, 'pkcs11.py'), module, token], {
    env: { ...environment, PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' },
    cwd: '/',
  });
  const waiting: { resolve(line: string): void; reject(error: Error): void }[] = [];
  let last = '';
  let ended: CordonError | undefined;
  const end = (why: string): void => {
    ended ??= refusal(why);
    for (const { reject } of waiting.splice(0)) reject(ended);
  };
  readline.createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.resolve(line));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (last = (last + text).slice(-300)));
  child.stdin.on('error', () => undefined); // it ended: its exit says so
  child.once('error', (cause) => end(`${python} cannot be started (${cause.message})`));
  child.once('close', () => end(`its process ended ${last.trim().split('\n').at(-1) ?? ''}`));
  const exchange = (line: string): Promise<string> => {
    if (ended !== undefined) return Promise.reject(ended);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    waiting.push({ resolve, reject });
    child.stdin.write(`${line}\n`);
    const late = setTimeout(() => child.kill('SIGKILL'), ANSWER_MS);
    return promise.finally(() => clearTimeout(late));
  };
  const ask = async (line: string): Promise<string> => {
    const answer = await exchange(line);
    if (answer === 'ok' || answer.startsWith('ok ')) return answer.slice(3);
    throw refusal(answer.replace(/^error /, ''));
  };
  await ask(pin);
  return { ask };
};

/** Asks a process that is started when it is first needed, and again when it has died. A PIN that was refused is not tried again: tokens lock themselves. */
const conversation = (token: KeyToken, pin: () => string): Conversation => {
  let opened: Promise<Conversation> | undefined;
  return {
    ask: async (line) => {
      opened ??= open(token, pin());
      const current = await opened;
      try {
        return await current.ask(line);
      } catch (error) {
        opened = undefined; // logged in before: it is the process or the key, not the PIN
        throw error;
      }
    },
  };
};

/** One role's key. What the token gives is checked by the public half that the root names, before anyone else sees it. */
const signerOf = ({ keys }: KeyToken, role: keyof KeyToken['keys'], { ask }: Conversation): Signer => {
  const { id, jwk } = keys[role];
  const publicKey = createPublicKey({ key: { ...checkPublicKey(jwk) }, format: 'jwk' });
  return {
    kid: thumbprint(jwk),
    sign: async (bytes) => {
      const signature = Buffer.from(await ask(`sign ${id} ${Buffer.from(bytes).toString('base64')}`), 'base64');
      if (!verify(null, bytes, publicKey, signature)) throw refusal(`what it gave is not by the key that the root names for ${role}`);
      return signature;
    },
  };
};

/** @param pin reads the PIN, each time that the token is logged into */
export const tokenKeys = (token: KeyToken, pin: () => string): Readonly<Record<keyof KeyToken['keys'], Signer>> => {
  const one = conversation(token, pin);
  return {
    policy: signerOf(token, 'policy', one),
    checkpoint: signerOf(token, 'checkpoint', one),
    identity: signerOf(token, 'identity', one),
  };
};
