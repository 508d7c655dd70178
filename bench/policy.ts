/**
 * The policy language's own price. `policy.resolve`: resolve and compile one device's launch under 50 policies of 40 rules; floor: one pass over the same rules that
 * puts each expanded path into a map. `policy.explain` and `policy.decide`: one answer on a made decider; floor: the map look-ups of a path and its parents.
 * `policy.simulate`: recorded events a second against a candidate; floor: the same events counted by key. `policy.recompute`: 100,000 devices to cohorts after a change of
 * groups; floor: the same devices grouped by the text of their groups.
 */
import { placer, type PublishedAssignment } from '../apps/control-plane/src/publishing/cohorts.ts';
import { compileBubblewrap } from '@cordon/policy/compile/bubblewrap.ts';
import { createDecider } from '@cordon/policy/decide/decider.ts';
import { preparePolicy } from '@cordon/policy/document/prepare.ts';
import type { PreparedPolicy } from '@cordon/policy/document/prepared.ts';
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import type { EffectivePolicy, PathVariables, Subject } from '@cordon/policy/effective.ts';
import { lookUpwards } from '@cordon/policy/match/path.ts';
import { resolve } from '@cordon/policy/resolve.ts';
import type { RecordedAccess } from '@cordon/policy/simulate/recorded.ts';
import { createSimulation } from '@cordon/policy/simulate/simulation.ts';
import { figure, type BenchOptions, type Figure, type Round } from './figure.ts';

const POLICIES = 50;
const DEVICES = 100_000;
const EVENTS = 250_000;
const subject: Subject = { agent: { id: 'claude-code', proof: 'proven' }, user: 'developer', os: 'linux' };
const variables: PathVariables = {
  home: '/home/developer',
  workspace: '/home/developer/src/project',
  tmp: '/tmp',
  tools: ['/usr/local', '/opt'],
  agent: ['/home/developer/.claude'],
};

/** 40 rules: 12 reads, 6 writes, 12 hosts, 4 names, 4 denied places, 2 limits. */
const documentOf = (i: number): PolicyDocument => ({
  apiVersion: 'cordon/v1',
  kind: 'ContainmentPolicy',
  metadata: { name: `policy-${i}` },
  spec: {
    allow: {
      filesystem: {
        read: Array.from({ length: 12 }, (_, k) => (k % 2 === 0 ? `\${home}/read/${i}/${k}` : `/srv/data/${i}/${k}`)),
        write: Array.from({ length: 6 }, (_, k) => `\${workspace}/out/${i}/${k}`),
      },
      network: {
        hosts: Array.from({ length: 12 }, (_, k) => ({ host: k % 3 === 0 ? `*.team${k}.example${i}.com` : `host${k}.example${i}.com` })),
      },
      environment: Array.from({ length: 4 }, (_, k) => `NAME_${i}_${k}`),
    },
    deny: { filesystem: { access: Array.from({ length: 4 }, (_, k) => `\${home}/read/${i}/${k}/private`) } },
    limit: { resources: { timeout: '8h' }, isolation: 'process' },
  },
});

const prepared = (): readonly PreparedPolicy[] =>
  Array.from({ length: POLICIES }, (_, i) =>
    preparePolicy({
      policy: `pol_${i}`,
      name: `policy-${i}`,
      revision: 1,
      document: documentOf(i),
      because: [{ assignment: `asg_${i}`, group: 'grp', groupName: 'developers' }],
    }),
  );

/** @returns milliseconds for one of `times` */
const time = (times: number, work: (i: number) => unknown): number => {
  const start = performance.now();
  for (let i = 0; i < times; i += 1) work(i);
  return (performance.now() - start) / times;
};

const pair = (times: number, product: (i: number) => unknown, floor: (i: number) => unknown): Round => ({
  product: time(times, product),
  floor: time(times, floor),
});

const rounds = (count: number, round: () => Round): readonly Round[] => Array.from({ length: count + 1 }, round).slice(1);

const resolved = (policies: readonly PreparedPolicy[]): EffectivePolicy => resolve({ policies, floor: undefined, subject, variables });

const resolving = (policies: readonly PreparedPolicy[], count: number): readonly Round[] => {
  const endpoint = { exists: () => true, isDirectory: () => true, installation: ['/opt/cordon'] };
  const texts = policies.flatMap((policy) =>
    [...policy.allowedPaths, ...policy.deniedPaths].map(({ template }) => (template.kind === 'variable' ? template.rest : template.text)),
  );
  return rounds(count, () =>
    pair(
      50,
      () => compileBubblewrap(resolved(policies), endpoint),
      () => new Map(texts.map((text) => [`/home/developer${text}`, text])),
    ),
  );
};

const deciding = (
  policies: readonly PreparedPolicy[],
  count: number,
): { readonly explain: readonly Round[]; readonly decide: readonly Round[] } => {
  const decider = createDecider(resolved(policies));
  const places = new Map(decider.effective.paths.map((rule) => [rule.path, rule]));
  const paths = Array.from({ length: 64 }, (_, i) => `/home/developer/read/${i % POLICIES}/${i % 12}/some/deep/file-${i}.txt`);
  const floor = (i: number): number => {
    let found = 0;
    lookUpwards(paths[i & 63] ?? '/', 'linux', (place) => void (found += places.has(place) ? 1 : 0));
    return found;
  };
  return {
    explain: rounds(count, () => pair(5000, (i) => decider.path(paths[i & 63] ?? '/', 'read'), floor)),
    decide: rounds(count, () => pair(50_000, (i) => decider.paths.allows(paths[i & 63] ?? '/', 'read'), floor)).map(
      ({ product, floor: bare }) => ({ product: product * 1000, floor: bare * 1000 }),
    ),
  };
};

const recomputing = (count: number): readonly Round[] => {
  const assignments = Array.from({ length: 1000 }, (_, i): PublishedAssignment => ({
    id: `asg_${i}`,
    policyId: `pol_${i % 300}`,
    groupId: `grp_${i % 500}`,
    groupName: `group ${i % 500}`,
    everyone: i === 0,
    mode: i % 19 === 0 ? 'exclude' : 'include',
  }));
  // Four groups of five hundred each, by a linear congruence: nearly every device has a set of its own.
  const group = (i: number, k: number): string => `grp_${((i * 4 + k) * 48_271) % 499}`;
  const devices = Array.from({ length: DEVICES }, (_, i) => [group(i, 0), group(i >> 3, 1), group(i >> 6, 2), group(i >> 9, 3)].sort());
  return rounds(count, () =>
    pair(
      1,
      () => {
        const place = placer({ assignments, exceptions: [] });
        return devices.map((groups) => place(groups).key);
      },
      () => Map.groupBy(devices, (groups) => groups.join('\n')),
    ),
  );
};

/** Accesses of 2,000 devices to 600 hosts and 2,400 files; the candidate lacks two policies of the fifty. Each round decides everything anew. */
const simulating = (policies: readonly PreparedPolicy[], count: number): readonly Round[] => {
  const events = Array.from({ length: EVENTS }, (_, i): RecordedAccess => {
    const [n, k] = [(i * 48_271) % POLICIES, (i * 16_807) % 12];
    const who = {
      device: `dev_${(i * 7919) % 2000}`,
      agent: 'claude-code',
      osUser: 'developer',
      os: 'linux' as const,
      verdict: 'allowed' as const,
    };
    return i % 5 === 0
      ? { kind: 'file', ...who, path: `/home/developer/read/${n}/${k}/file-${i % 4}`, access: 'read' }
      : { kind: 'egress', ...who, host: `host${k}.example${n}.com`, port: 443 };
  });
  const floor = (): number => {
    const counts = new Map<string, number>();
    for (const event of events) {
      const key = `${event.device} ${event.kind === 'file' ? event.path : event.host}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts.size;
  };
  const product = (): void => {
    const simulation = createSimulation({ before: policies, after: policies.slice(2), variablesFor: () => variables });
    for (const event of events) simulation.add(event);
    if (simulation.result().denied === 0) throw new Error('the candidate denies nothing: nothing was measured');
  };
  const perSecond = (ms: number): number => EVENTS / (ms / 1000);
  return rounds(count, () => pair(1, product, floor)).map((round) => ({
    product: perSecond(round.product),
    floor: perSecond(round.floor),
  }));
};

export const run = async ({ rounds: count, say }: BenchOptions): Promise<readonly Figure[]> => {
  const policies = prepared();
  say(`policy: ${POLICIES} policies of 40 rules; ${DEVICES} devices`);
  const { explain, decide } = deciding(policies, count);
  const all = [
    figure('policy.resolve', 'ms', resolving(policies, count)),
    figure('policy.explain', 'ms', explain),
    figure('policy.decide', 'us', decide),
    figure('policy.simulate', 'events/s', simulating(policies, count)),
    figure('policy.recompute', 'ms', recomputing(Math.min(count, 3))),
  ];
  return Promise.resolve(all);
};
