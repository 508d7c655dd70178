/**
 * The signer: a process of its own that alone holds the online keys and talks on one local socket, JSON lines. Its only argument is its folder; its environment is
 * empty. What it decides is in `signer.ts`.
 */
import fs from 'node:fs';
import { CordonError } from '@cordon/policy/errors.ts';
import { openKeys } from './key-file.ts';
import { Memory } from './memory.ts';
import { signerFiles } from './organisation.ts';
import { Signer } from './signer.ts';
import { serve } from './socket.ts';

const files = signerFiles(process.argv[2] ?? '');

/** What it cannot work without; what is wrong with it is for a person to mend, so it is said without a stack. */
const begin = async (): Promise<Signer> => {
  try {
    return new Signer(openKeys(files.keys, files.passphrase), await Memory.open(files.memory, files.state), () => new Date());
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    process.stderr.write(`cordon signer: ${error.message} (${error.code})\n`);
    process.exit(1);
  }
};
process.umask(0o077);
const signer = await begin();

const server = serve(async (op, request) => {
  switch (op) {
    case 'head':
      return signer.head();
    case 'roots':
      return signer.roots(request);
    case 'follow':
      return signer.follow(request);
    case 'manifest':
      return signer.manifest(request);
    case 'checkpoint':
      return signer.checkpoint(request);
    case 'run-token':
      return signer.runToken(request);
    default:
      throw new CordonError('signer.refused', 'the signer knows head, roots, follow, manifest, checkpoint and run-token');
  }
});
fs.rmSync(files.socket, { force: true });
server.listen(files.socket, () => process.send?.('ready'));
// The control plane's end is the signer's: a second one must not be left behind.
process.on('disconnect', () => process.exit(0));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(0));
