/**
 * The signer: a process of its own that alone holds the online keys and talks on one local socket, JSON lines. Its only argument is its folder; its environment is
 * empty. It keeps its high-water mark on disk before it signs.
 */
import fs from 'node:fs';
import net from 'node:net';
import { CordonError } from '@cordon/policy/errors.ts';
import { signCompact } from '@cordon/policy/trust/envelope.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';
import { checkCheckpoint, checkManifest, readHighWater, type HighWater } from './decide.ts';
import { writeDurably } from '../durable.ts';
import { openKeys, type OnlineKeys } from './key-file.ts';
import { signerFiles } from './organisation.ts';

const MAX_LINE = 262_144;
const files = signerFiles(process.argv[2] ?? '');

/** What it cannot work without; what is wrong with it is for a person to mend, so it is said without a stack. */
const begin = (): { keys: OnlineKeys; high: HighWater } => {
  try {
    const high = fs.existsSync(files.state) ? readHighWater(fs.readFileSync(files.state, 'utf8')) : { epoch: 0, serial: 0 };
    return { keys: openKeys(files.keys, files.passphrase), high };
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    process.stderr.write(`cordon signer: ${error.message} (${error.code})\n`);
    process.exit(1);
  }
};
const started = begin();
const { keys } = started;
let { high } = started;

const sign = (op: unknown, payload: unknown): Promise<string> => {
  switch (op) {
    case 'manifest':
      return signCompact(checkManifest(payload), 'cordon-bundle+jws', keys.policy);
    case 'checkpoint': {
      const checked = checkCheckpoint(payload, high);
      if (checked.high.epoch !== high.epoch || checked.high.serial !== high.serial) {
        writeDurably(files.state, JSON.stringify(checked.high));
        high = checked.high;
      }
      return signCompact(checked.payload, 'cordon-checkpoint+jws', keys.checkpoint);
    }
    default:
      throw new CordonError('signer.refused', 'the signer knows manifest and checkpoint');
  }
};

const answer = async (line: string): Promise<string> => {
  let id: unknown = null;
  try {
    const request = parseStrictJson(line, { maxBytes: MAX_LINE, maxDepth: 8 }) as { id?: unknown; op?: unknown; payload?: unknown };
    id = request.id;
    return JSON.stringify({ id, jws: await sign(request.op, request.payload) });
  } catch (error) {
    const { code, message } = error instanceof CordonError ? error : { code: 'signer.failed', message: 'the signer could not sign' };
    return JSON.stringify({ id, code, message });
  }
};

const server = net.createServer((socket) => {
  let text = '';
  let turn = Promise.resolve();
  socket.on('error', () => socket.destroy());
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    if (text.length > MAX_LINE) return void socket.destroy();
    for (const line of lines) {
      turn = turn.then(async () => {
        const reply = await answer(line);
        if (socket.writable) socket.write(`${reply}\n`);
      });
    }
  });
});
fs.rmSync(files.socket, { force: true });
process.umask(0o077);
server.listen(files.socket, () => process.send?.('ready'));
// The control plane's end is the signer's: a second one must not be left behind.
process.on('disconnect', () => process.exit(0));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(0));
