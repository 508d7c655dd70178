/**
 * Processor seconds of one publish that changes the bundle of every device, signatures and judgement included: control plane and signer together, without
 * PostgreSQL. Floor: the hashes and signatures of as many bundles and leaves by node:crypto itself.
 */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import fs from 'node:fs';
import { publish } from '../apps/control-plane/src/publishing/publish.ts';
import { figure, type BenchOptions, type Figure, type Round } from './figure.ts';
import { startPlane } from './plane.ts';

const COHORTS = 500;
/** Clock ticks a second in /proc/PID/stat: the same on every Linux that Node runs on. */
const TICKS = 100;

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  /** Seconds. */
  readonly cpu: number;
}

/** Every process that can be seen (proc_pid_stat(5)). */
const processes = (): readonly Process[] =>
  fs.readdirSync('/proc').flatMap((name): Process[] => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const fields = fs
        .readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      const command = fs.readFileSync(`/proc/${name}/cmdline`, 'utf8');
      return [{ pid: Number(name), parent: Number(fields[1]), command, cpu: (Number(fields[11]) + Number(fields[12])) / TICKS }];
    } catch {
      return []; // it ended meanwhile
    }
  });

const signerPid = (): number => {
  const found = processes().find(({ parent, command }) => parent === process.pid && command.includes('signer/main.ts'));
  if (found === undefined) throw new Error('bench: the signer is not to be seen');
  return found.pid;
};

const signerSeconds = (pid: number): number => processes().find((one) => one.pid === pid)?.cpu ?? Number.NaN;

const ownSeconds = (since?: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
};

/** A bundle and its manifest are hashed and signed for each cohort, its leaf and the nodes above it hashed; then a checkpoint. */
const bare = (bundle: string): number => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const before = process.cpuUsage();
  for (let i = 0; i < COHORTS; i += 1) {
    const digest = createHash('sha256').update(bundle).update(String(i)).digest('hex');
    sign(null, Buffer.from(JSON.stringify({ digest, size: bundle.length, revisions: [] })), privateKey);
    for (let level = 0; level < 10; level += 1) createHash('sha256').update(digest).digest();
  }
  sign(null, Buffer.from(bundle.slice(0, 500)), privateKey);
  return ownSeconds(before);
};

export const publishing = async ({ devices, rounds, say, signal }: BenchOptions): Promise<readonly Figure[]> => {
  say(`trust: making ${devices} devices in ${COHORTS} cohorts`);
  const plane = await startPlane(devices, COHORTS);
  try {
    const { context } = plane.plane;
    const signer = signerPid();
    const measured: Round[] = [];
    for (let round = 0; round <= rounds; round += 1) {
      signal.throwIfAborted();
      const proposal = await plane.revise(round + 1);
      const [own, its] = [process.cpuUsage(), signerSeconds(signer)];
      const { cohorts, devices: changed } = await publish(context, { title: 'bench', actor: 'bench', proposal });
      const [product, part] = [ownSeconds(own), signerSeconds(signer) - its];
      if (cohorts !== COHORTS || changed !== devices) throw new Error(`bench: ${cohorts} cohorts and ${changed} devices were changed`);
      const [bundle] = context.published.bundles.values();
      if (round > 0) measured.push({ product: product + part, floor: bare(bundle?.text ?? '') });
      say(`trust: published in ${product.toFixed(2)} s of the control plane and ${part.toFixed(2)} s of the signer`);
    }
    return [figure('trust.publish', 's', measured)];
  } finally {
    await plane.close();
  }
};
