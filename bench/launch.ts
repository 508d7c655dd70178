/**
 * `launch.true`: a run of `true` through the daemon's local API, from the request until its end is told, with policy, filter, gate and way out. Floor: the same compiled
 * request by MXC's native executor alone. `launch.twenty`: twenty of them at once until all have ended, against twenty bare ones. `launch.cli`: `cordon status`, the whole
 * process, against `node -e 0` with the same Node.
 */
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { figure, type BenchOptions, type Figure, type Round } from './figure.ts';
import { startAgent, timed, type BenchAgent } from './agent.ts';

const AT_ONCE = 20;
/** After launches the daemon prepares for the next ones, as many as came at once; that must not slow the floor. */
const REST_MS = 150;
const REST_AFTER_TWENTY_MS = 1500;
const COMMAND = path.join(import.meta.dirname, '../apps/endpoint-agent/bin/cordon.js');

type Measure = (agent: BenchAgent) => Promise<number>;

const one: Measure = async (agent) => (await agent.caller(['true']))();

/** @returns milliseconds until the last of them has ended */
const twenty: Measure = async (agent) => {
  const callers = await Promise.all(Array.from({ length: AT_ONCE }, () => agent.caller(['true'])));
  return Math.max(...(await Promise.all(callers.map((run) => run()))));
};

const bareTwenty: Measure = async (agent) => {
  const start = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, () => agent.bare()));
  return performance.now() - start;
};

const node = (agent: BenchAgent, args: readonly string[]): Promise<number> =>
  timed(process.execPath, args, { env: { ...agent.environment }, stdio: 'ignore', cwd: '/' });

const FIGURES: readonly { readonly name: string; readonly product: Measure; readonly floor: Measure; readonly rest?: number }[] = [
  { name: 'launch.true', product: one, floor: (agent) => agent.bare() },
  { name: 'launch.twenty', product: twenty, floor: bareTwenty, rest: REST_AFTER_TWENTY_MS },
  { name: 'launch.cli', product: (agent) => node(agent, [COMMAND, 'status']), floor: (agent) => node(agent, ['-e', '0']) },
];

export const run = async ({ rounds, say, signal }: BenchOptions): Promise<readonly Figure[]> => {
  say('launch: a control plane, an enrolled endpoint and its daemon');
  const agent = await startAgent();
  try {
    const figures: Figure[] = [];
    for (const { name, product, floor, rest = REST_MS } of FIGURES) {
      const results: Round[] = [];
      // The first round warms both and is not counted.
      for (let i = 0; i <= rounds; i += 1) {
        signal.throwIfAborted();
        const first = await product(agent);
        await wait(rest);
        const result = { product: first, floor: await floor(agent) };
        say(`${name}: round ${i}: ${result.product.toFixed(1)} ms, floor ${result.floor.toFixed(1)} ms`);
        if (i > 0) results.push(result);
      }
      figures.push(figure(name, 'ms', results));
    }
    return figures;
  } finally {
    await agent.close();
  }
};
