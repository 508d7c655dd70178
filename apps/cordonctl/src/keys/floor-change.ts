/** What a new floor takes and gives back. A floor grants nothing, so a change of it is seen in what it leaves of a policy that allows as much as the language can say. Pure. */
import { deltaOf } from '@cordon/policy/delta/delta.ts';
import type { Delta, DeltaEntry } from '@cordon/policy/delta/entry.ts';
import { narrowsSets } from '@cordon/policy/delta/sets/narrows-sets.ts';
import { usualLaunch } from '@cordon/policy/delta/sets/valuations.ts';
import { prepareFloor, preparePolicy } from '@cordon/policy/document/prepare.ts';
import type { PreparedPolicy } from '@cordon/policy/document/prepared.ts';
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import type { OperatingSystem } from '@cordon/policy/effective.ts';
import { resolve } from '@cordon/policy/resolve.ts';
import { visible } from '@cordon/policy/visible.ts';

export interface FloorChange {
  /** Of the new floor. */
  readonly version: number;
  readonly deltas: readonly { readonly os: OperatingSystem; readonly delta: Delta }[];
  /** Proved to take no less than the one before, for every agent, user and launch. */
  readonly narrower: boolean;
}

const SYSTEMS = ['linux', 'macos', 'windows'] as const;
const USUAL_PORTS = [22, 80, 443];

const different = <T>(...lists: readonly (readonly T[] | undefined)[]): T[] => [...new Set(lists.flatMap((list) => list ?? []))];

/** The places, ports, names and hosts that either floor speaks of are allowed one by one too: no difference between the two hides where this allows nothing. */
const nearlyEverything = (os: OperatingSystem, floors: readonly PolicyDocument[]): PreparedPolicy => {
  const parts = floors.flatMap(({ spec: { deny, limit } }) => [deny ?? {}, limit ?? {}]);
  const paths = floors.flatMap(({ spec: { deny, limit } }) =>
    different(deny?.filesystem?.access, deny?.filesystem?.write, limit?.filesystem?.read, limit?.filesystem?.write),
  );
  const ports = different(
    USUAL_PORTS,
    ...parts.flatMap(({ network }) => [...(network?.hosts ?? []), ...(network?.cidrs ?? [])].map((entry) => entry.ports)),
  );
  return preparePolicy({
    policy: 'pol_everything',
    name: 'everything',
    revision: 1,
    because: [],
    document: {
      apiVersion: 'cordon/v1',
      kind: 'ContainmentPolicy',
      metadata: { name: 'everything' },
      spec: {
        allow: {
          filesystem: { write: different(['${home}', '${workspace}', '${tools}', '${agent}'], paths) },
          network: {
            hosts: [{ host: '*', ports, private: true }],
            cidrs: ['0.0.0.0/0', '::/0'].map((cidr) => ({ cidr, ports, private: true })),
            ingress: true,
            hostLoopback: true,
          },
          ui: { windows: true, clipboard: 'all', inputInjection: true },
          environment: different(['LANG'], ...parts.map(({ environment }) => environment)),
          identity: { hosts: different(...parts.map(({ identity }) => identity?.hosts)) },
        },
      },
    },
  });
};

/** @param version of the new floor */
export const floorChange = (before: PolicyDocument, after: PolicyDocument, version: number): FloorChange => {
  const [older, newer] = [prepareFloor(before, version - 1), prepareFloor(after, version)];
  const perSystem = SYSTEMS.map((os) => {
    const policies = [nearlyEverything(os, [before, after])];
    const subject = { agent: { id: 'some-agent', proof: 'proven' as const }, user: 'some-user', os };
    const effective = (floor: PreparedPolicy) => resolve({ policies, floor, subject, variables: usualLaunch(os) });
    const proved = narrowsSets({ policies, floor: older }, { policies, floor: newer }).verdict === 'yes';
    return { os, delta: deltaOf(effective(older), effective(newer)), proved };
  });
  return { version, deltas: perSystem, narrower: perSystem.every(({ proved }) => proved) };
};

/** The first thing that it gives back, in words. */
export const firstGain = ({ deltas }: FloorChange): string =>
  deltas.flatMap(({ os, delta }) => delta.gained.map(({ category, target }) => `on ${os} it gives back ${category} ${target}`))[0] ??
  'nobody can tell for every agent, user and launch';

const said = (sign: string, { category, target, detail }: DeltaEntry): string =>
  visible(`  ${sign} ${category.padEnd(22)} ${target}   ${detail}`);

/** For people; what is the same on several systems is told once. */
export const describeChange = ({ version, deltas, narrower }: FloorChange): string => {
  const linesOf = ({ gained, lost }: Delta): string =>
    [...gained.map((entry) => said('+', entry)), ...lost.map((entry) => said('-', entry))].join('\n');
  const groups = Map.groupBy(deltas, ({ delta }) => linesOf(delta));
  const parts = [...groups].map(([lines, of]) => `on ${of.map(({ os }) => os).join(', ')}:\n${lines === '' ? '  no difference' : lines}`);
  const verdict = narrower ? 'takes no less than the one before' : 'GIVES BACK what the one before took, or may';
  return `floor version ${version} ${verdict}\n${parts.join('\n')}\n`;
};
