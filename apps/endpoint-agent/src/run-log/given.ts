/** What a run was given, put down for people. Pure. */
import type { EffectivePolicy, HostRule } from '@cordon/policy/effective.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { LiveRun } from '../runs/run-table.ts';
import type { Given } from './entry.ts';

const MOST = 200;
/** Of one list: all of them are to fit into one message. */
const MOST_LENGTH = 16_384;

/** Sorted, and so many as there is room for. */
const few = (texts: readonly string[]): string[] => {
  const distinct = [...new Set(texts)].sort();
  let length = 0;
  const kept = distinct.slice(0, MOST).filter((text) => (length += text.length) <= MOST_LENGTH);
  return kept.length === distinct.length ? kept : [...kept, `and ${distinct.length - kept.length} more`];
};

const hostText = ({ host, ports, methods, prefixes }: HostRule): string =>
  [
    `${host}${ports === undefined || (ports.length === 1 && ports[0] === 443) ? '' : `:${ports.join(',')}`}`,
    ...(methods === undefined ? [] : [methods.join('|')]),
    ...(prefixes === undefined ? [] : [prefixes.join(' ')]),
  ].join(' ');

const allowed = <T extends { readonly effect: string }>(rules: readonly T[]): T[] => rules.filter(({ effect }) => effect === 'allow');

const limitTexts = ({ timeoutMs, memoryBytes, cpus, processes }: EffectivePolicy['resources']): string[] => [
  ...(timeoutMs === undefined ? [] : [`${Math.round(timeoutMs.value / 1000)} seconds`]),
  ...(memoryBytes === undefined ? [] : [`${Math.round(memoryBytes.value / 1024 ** 2)} MiB of memory`]),
  ...(cpus === undefined ? [] : [`${cpus.value} processors`]),
  ...(processes === undefined ? [] : [`${processes.value} processes`]),
];

/** @param state that it was started under */
export const givenOf = (
  { run, subject, account, cwd, parent, manifest, effective, filesystem }: LiveRun,
  state: VerifiedState | undefined,
  at: Date,
): Given => ({
  kind: 'given',
  at: at.toISOString(),
  run: run.run,
  uid: account.uid,
  user: account.name,
  agent: subject.agent.id,
  proof: subject.agent.proof,
  cwd,
  parent: parent?.run.run ?? null,
  manifest: manifest?.metadata.name ?? null,
  policies: (state?.content.policies ?? []).slice(0, MOST).map(({ name, revision, document: { metadata } }) => ({
    name,
    revision,
    ...(metadata.owner !== undefined && { owner: metadata.owner }),
    ...(metadata.contact !== undefined && { contact: metadata.contact }),
  })),
  serial: state?.serial ?? 0,
  read: few(filesystem.readonlyPaths),
  write: few(filesystem.readwritePaths),
  hidden: few(filesystem.deniedPaths),
  hosts: few([...allowed(effective.hosts).map(hostText), ...allowed(effective.cidrs).map(({ cidr }) => cidr)]),
  environment: few(allowed(effective.environment).map(({ name }) => name)),
  rights: few(allowed(effective.rights).map(({ right }) => right)),
  limits: limitTexts(effective.resources),
  attestation: { uid: run.attestation.uid, mounts: run.attestation.mounts },
});
