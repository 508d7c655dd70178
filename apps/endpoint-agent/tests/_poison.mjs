/**
 * For tests, loaded before a daemon: a fault in one function of it, so that whoever uses a policy that speaks of `/srv/poison` there is killed at once, as by
 * a crash of the machine's making. The daemon itself is the product's, unchanged. POISONED names the function.
 */
import { registerHooks } from 'node:module';

const PLACES = {
  // Whatever launches or tests goes through here; comparing two states does not.
  plan: [
    '/packages/policy/src/compile/bubblewrap.ts',
    '(effective: EffectivePolicy, endpoint: LinuxEndpoint): LaunchPlan => {',
    'effective.paths',
  ],
  // Everything goes through here, comparing two states too.
  resolve: ['/packages/policy/src/resolve.ts', '{ floor, subject, variables: given }: ResolveInput): EffectivePolicy => {', 'policies'],
};
const [file, after, what] = PLACES[process.env['POISONED']];

registerHooks({
  load: (url, context, next) => {
    const loaded = next(url, context);
    if (!url.endsWith(file)) return loaded;
    const source = Buffer.from(loaded.source ?? '').toString('utf8');
    if (!source.includes(after)) throw new Error(`${file} has no place for the fault any more`);
    const fault = `if (JSON.stringify(${what}).includes('/srv/poison')) process.kill(process.pid, 'SIGKILL');`;
    return { ...loaded, source: source.replace(after, `${after} ${fault}`) };
  },
});
