/** Which organisation to join and with which token: by option, environment, or the file that an MDM puts there; never by argument. */
import fs from 'node:fs';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';
import { ownedFile } from '../owned-file.ts';

export interface JoinRequest {
  readonly server: string;
  readonly token: string;
}

const MAX_BYTES = 8192;
const Text = Type.String({ minLength: 1, maxLength: 4096 });
const closed = { additionalProperties: false } as const;
const Config = Compile(
  Type.Union([Type.Object({ server: Text, token: Text }, closed), Type.Object({ server: Text, tokenFile: Text }, closed)]),
);

/** A file that decides whom this device belongs to. @param secret nobody else may read it either. @throws CordonError `file.unreadable`, `file.unsafe`, `file.too-large` */
export const readOwnFile = (file: string, secret: boolean): string =>
  ownedFile(file, { maxBytes: MAX_BYTES, secret, because: 'whoever writes it decides whom this device belongs to' }, (fd) =>
    fs.readFileSync(fd, 'utf8'),
  );

/** The token in a file. Who can read it can join as long as it is good; who can write it decides whom this device belongs to. @throws as `readOwnFile` */
export const readTokenFile = (file: string): string => readOwnFile(file, false).trim();

/**
 * `{"server": "https://…", "token": "cordon.…"}`, or with `tokenFile` in place of `token`.
 * @returns undefined when there is no such file. @throws CordonError `enroll.config`, `file.*`
 */
export const readEnrollConfig = (file: string): JoinRequest | undefined => {
  if (!fs.existsSync(file)) return undefined;
  const text = readOwnFile(file, false);
  let value: unknown;
  try {
    value = parseStrictJson(text, { maxBytes: MAX_BYTES, maxDepth: 2 });
  } catch (cause) {
    throw new CordonError('enroll.config', `${file} is not JSON`, { place: file, cause });
  }
  if (!Config.Check(value))
    throw new CordonError(
      'enroll.config',
      `${file} must hold {"server": …, "token": …} or {"server": …, "tokenFile": …} and nothing else`,
      {
        place: file,
      },
    );
  if ('tokenFile' in value) return { server: value.server, token: readTokenFile(value.tokenFile) };
  readOwnFile(file, true);
  return value;
};

/** @throws CordonError `enroll.token-argument`: what stands on a command line is no secret any more */
export const refuseTokenArguments = (args: readonly string[]): void => {
  if (args.some((word) => /^--token(?:=|$)/.test(word) || /(?:^|=)cordon\.[a-z]{1,8}_/.test(word)))
    throw new CordonError(
      'enroll.token-argument',
      'a token on the command line can be read by every account here, and stays in shell histories: revoke it and make another; give it by --token-file, CORDON_ENROLL_TOKEN_FILE, CORDON_TOKEN, the configuration file or standard input',
    );
};
