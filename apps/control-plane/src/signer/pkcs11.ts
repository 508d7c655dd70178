/**
 * Online keys that never leave a PKCS#11 token (a hardware module, a key service's module, SoftHSM): each signature is asked of OpenSC's `pkcs11-tool`.
 * No binding for Node installs without a compiler, so it is a child process. It takes a PIN from an argument, an environment or a terminal; here it gets a terminal of
 * its own (`script`), so that the PIN stands in a private file and nowhere else. About 20 ms a signature, of which the service needs one every few minutes.
 */
import { spawn } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Signer } from '@cordon/policy/trust/envelope.ts';
import type { KeyToken } from '@cordon/policy/trust/key-token.ts';
import { checkPublicKey, thumbprint } from '@cordon/policy/trust/keys.ts';

const SCRIPT = '/usr/bin/script';
const ANSWER_MS = 8000;

const refuse = (message: string): CordonError => new CordonError('signer.token', `the token gave no signature: ${message}`);

/** Runs a command in a terminal of its own and types the PIN when it is asked for. @returns what it printed */
const typePin = (command: string, environment: Readonly<Record<string, string>>, pin: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn(SCRIPT, ['-qec', command, '/dev/null'], {
      env: { ...environment, PATH: '/usr/bin:/bin', SHELL: '/bin/sh', LC_ALL: 'C' },
      timeout: ANSWER_MS,
      killSignal: 'SIGKILL',
    });
    let said = '';
    let typed = false;
    const hear = (text: string): void => {
      said += text;
      if (typed || !/user pin/i.test(said)) return;
      typed = true;
      child.stdin.write(`${pin}\n`);
    };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', hear);
    child.stdin.on('error', () => undefined); // it ended before it had asked: its status says so
    child.once('error', (cause) => reject(refuse(`${SCRIPT} cannot be started (${cause.message}); it comes with util-linux`)));
    child.once('close', (status) => {
      const last = said.replaceAll(pin, '…').trim().split(/\r?\n/).slice(-2).join(' ');
      if (status === 0) resolve(said);
      else reject(refuse(`pkcs11-tool ended with ${status ?? 'a signal'}: ${last.slice(0, 300)}`));
    });
  });

const quoted = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`;

/**
 * One role's key in a token. What the token gives is checked by the public half that the root names, before anyone else sees it.
 * @param folder private to the signer; what is signed lies there for a moment, and it is no secret
 */
const signerOf = (token: KeyToken, role: keyof KeyToken['keys'], folder: string, pin: () => string): Signer => {
  const { id, jwk } = token.keys[role];
  const publicKey = createPublicKey({ key: { ...checkPublicKey(jwk) }, format: 'jwk' });
  return {
    kid: thumbprint(jwk),
    sign: async (bytes) => {
      const place = fs.mkdtempSync(path.join(folder, 'token-'));
      try {
        const [from, to] = [path.join(place, 'in'), path.join(place, 'out')];
        fs.writeFileSync(from, bytes, { mode: 0o600 });
        const words = [token.tool, '--module', token.module, '--token-label', token.token, '--login', '--sign', '--mechanism', 'EDDSA'];
        const command = [...words, '--id', id, '--input-file', from, '--output-file', to];
        await typePin(command.map(quoted).join(' '), token.environment, pin());
        const signature = fs.readFileSync(to);
        if (!verify(null, bytes, publicKey, signature)) throw refuse(`what it gave is not by the key that the root names for ${role}`);
        return signature;
      } finally {
        fs.rmSync(place, { recursive: true, force: true });
      }
    },
  };
};

/** @param pin reads the PIN anew for each signature, so that no copy of it stays in memory longer than it must */
export const tokenKeys = (
  token: KeyToken,
  folder: string,
  pin: () => string,
): Readonly<Record<'policy' | 'checkpoint' | 'identity', Signer>> => ({
  policy: signerOf(token, 'policy', folder, pin),
  checkpoint: signerOf(token, 'checkpoint', folder, pin),
  identity: signerOf(token, 'identity', folder, pin),
});
