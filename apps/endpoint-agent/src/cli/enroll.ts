/** `cordon enroll --server URL [--token-file FILE] [--again]`: joins this device to an organisation. The token comes by file, environment or standard input, never by argument. */
import fs from 'node:fs';
import { text } from 'node:stream/consumers';
import { CordonError } from '@cordon/policy/errors.ts';
import { readConfig, tokenFromEnvironment } from '../config.ts';
import { enroll } from '../identity/enroll.ts';
import { deviceFacts } from '../identity/facts.ts';
import { parseArguments } from './arguments.ts';
import { readDocumentFile } from './documents.ts';

export const enrollCommand = async (args: readonly string[]): Promise<number> => {
  const { options, flags } = parseArguments(args, { options: ['server', 'token-file'], flags: ['again'] });
  const server = options.get('server');
  if (server === undefined)
    throw new CordonError(
      'cli.usage',
      'cordon enroll --server URL [--token-file FILE]; the token may also stand in CORDON_TOKEN or come on standard input',
    );
  const file = options.get('token-file');
  const token = file === undefined ? (tokenFromEnvironment() ?? (await text(process.stdin))) : readDocumentFile(file, 4096, 'followed');
  const { stateDir } = readConfig();
  fs.mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  fs.chmodSync(stateDir, 0o700);
  const enrollment = await enroll({ stateDir, server, token, facts: deviceFacts(), now: new Date(), again: flags.has('again') });
  process.stdout.write(`enrolled as ${enrollment.device} in ${enrollment.org}\n`);
  return 0;
};
