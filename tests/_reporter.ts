/**
 * The reporting half of a daemon as a process of its own, to be killed: the real identity, channel, spool and reporter, without a sandbox. It appends an event when it is
 * told to and answers with its id once `append` has returned.
 */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { PROTOCOL } from '@cordon/policy/protocol/version.ts';
import { startChannel, type Channel } from '../apps/endpoint-agent/src/control/channel.ts';
import { requireEnrollment } from '../apps/endpoint-agent/src/identity/enrollment.ts';
import { openIdentity } from '../apps/endpoint-agent/src/identity/identity.ts';
import { STRAIGHT } from '../apps/endpoint-agent/src/network/network.ts';
import { startReporter } from '../apps/endpoint-agent/src/telemetry/reporter.ts';
import { openSpool } from '../apps/endpoint-agent/src/telemetry/spool.ts';

const [stateDir = ''] = process.argv.slice(2);
const tell = (message: object): void => void process.send?.(message);
/** What it said last, for a test that waits in vain. */
let said = '';
const log = (message: string): void => void (said = message);
const now = (): Date => new Date();

const enrollment = requireEnrollment(stateDir);
const identity = openIdentity({ stateDir, enrollment, keyDays: 0, network: STRAIGHT, now, log });
const spool = openSpool(path.join(stateDir, 'spool'), `boot_${randomBytes(12).toString('hex')}`, 64 * 1024 * 1024, now);
const channel: Channel = startChannel({
  org: enrollment.org,
  open: identity.open,
  signal: new AbortController().signal,
  log,
  // It comes back soon, what is tested is what is lost; but not so often that it is one device too many.
  random: () => 0.01,
  onFrame: (frame) => {
    if (frame.type === 'telemetry.ack' || frame.type === 'head.ack') reporter.onFrame(frame);
    if (frame.type === 'problem') reporter.onProblem(frame.code);
    return Promise.resolve();
  },
  hello: () => ({ type: 'hello', protocol: PROTOCOL, boot: spool.boot, agentVersion: '0.1.0', enforcing: null, checkpoint: null }),
  onConnected: () => reporter.onConnected(),
});
const reporter = startReporter({
  spool,
  device: { org: enrollment.org, device: enrollment.device, assurance: 'user' },
  key: identity.key,
  enforced: () => null,
  send: (frame) => channel.send(frame),
  now,
  clock: () => performance.now(),
  log,
});

process.on('disconnect', () => process.exit(0));
process.on('message', (message: { readonly append: string } | { readonly ask: 'depth' } | { readonly ask: 'finish' }) => {
  if ('append' in message) {
    spool.append({ kind: 'launch.refused', run: message.append, agent: 'test', osUser: 'dev', code: 'launch.no-policy', program: 'sh' });
    tell({ appended: message.append });
  } else if (message.ask === 'depth') tell({ depth: spool.depth(), unsigned: spool.heads().length, said });
  else void reporter.finish();
});
tell({ ready: true });
