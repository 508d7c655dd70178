/** `npm run bench -- NAME [--json] [--devices N] [--rounds N]`: product beside its floor, in interleaved rounds. */
import { parseArgs } from 'node:util';
import type { BenchOptions, Figure } from './figure.ts';

interface Benchmark {
  run(options: BenchOptions): Promise<readonly Figure[]>;
}

const BENCHMARKS: Readonly<Record<string, { readonly load: () => Promise<Benchmark>; readonly devices: number; readonly rounds: number }>> =
  {
    push: { load: () => import('./push.ts'), devices: 10_000, rounds: 7 },
    telemetry: { load: () => import('./telemetry.ts'), devices: 200, rounds: 7 },
    launch: { load: () => import('./launch.ts'), devices: 1, rounds: 25 },
    proxy: { load: () => import('./proxy.ts'), devices: 1, rounds: 11 },
    policy: { load: () => import('./policy.ts'), devices: 1, rounds: 9 },
    trust: { load: () => import('./trust.ts'), devices: 100_000, rounds: 9 },
    memory: { load: () => import('./memory.ts'), devices: 10_000, rounds: 3 },
    daemon: { load: () => import('./daemon.ts'), devices: 1, rounds: 3 },
  };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, devices: { type: 'string' }, rounds: { type: 'string' } },
});
const [name = ''] = positionals;
const benchmark = BENCHMARKS[name];
if (benchmark === undefined) {
  process.stderr.write(`bench: name one of ${Object.keys(BENCHMARKS).join(', ')}\n`);
  process.exit(2);
}
const count = (text: string | undefined, fallback: number): number => {
  const value = Number(text ?? fallback);
  if (Number.isInteger(value) && value > 0) return value;
  process.stderr.write(`bench: ${String(text)} is not a count\n`);
  return process.exit(2);
};

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort(new Error(`interrupted by ${signal}`)));
const { run } = await benchmark.load();
const figures = await run({
  devices: count(values.devices, benchmark.devices),
  rounds: count(values.rounds, benchmark.rounds),
  say: (message) => process.stderr.write(`${message}\n`),
  signal: interrupted.signal,
});
for (const figure of figures) {
  const { name: what, product, floor, ratio, unit, rounds } = figure;
  console.log(
    values.json
      ? JSON.stringify(figure)
      : `${what.padEnd(24)} ${String(product).padStart(10)} ${unit.padEnd(7)} floor ${String(floor).padStart(10)} ${unit.padEnd(7)} ratio ${ratio} (${rounds} rounds)`,
  );
}
process.exit(0);
