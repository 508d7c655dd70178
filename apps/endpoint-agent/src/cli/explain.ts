/** `cordon explain [RUN]`: what a run was given, what was denied and whom to ask, and how it ended. */
import type { Denial, Explained } from '../run-log/explained.ts';
import { whomToAsk } from '../runs/whose.ts';
import { printResult } from './output.ts';
import { askAbout, requireRunName } from './remembered.ts';
import { argumentsOf, commandNamed } from './table.ts';
import { misused } from './table/command.ts';

const STATES = { runs: 'it runs', ended: 'it has ended', refused: 'it was not started', lost: 'its daemon ended before it did' } as const;

const seconds = (ms: number): string => (ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`);
const times = (count: number): string => ({ 1: 'once', 2: 'twice' })[count] ?? `${count} times`;

const list = (name: string, texts: readonly string[], none = 'nothing'): string[] =>
  (texts.length === 0 ? [none] : texts).map((text, i) => `  ${(i === 0 ? name : '').padEnd(12)} ${text}`);

const denialLines = ({ target, access, times: count, reason, owner, contact, ask }: Denial): string[] => [
  `  ${access} ${target}, ${times(count)}: ${reason}`,
  `    to have it allowed, ask ${whomToAsk({ owner, contact })}: ${ask}`,
];

const endLines = ({ ended, refused }: Explained): string[] => {
  if (refused !== null) return [`refused`, `  ${refused.message} [${refused.code}]`];
  if (ended === null) return [];
  const how = {
    exited: `the command ended by itself, with status ${ended.exitCode}`,
    killed: 'the run was ended from outside: by its caller, by a tightened policy, or with its daemon',
    timeout: 'its time was over',
    'setup-failed': 'its sandbox could not be set up',
  }[ended.reason];
  return ['end', `  ${how ?? ended.reason}, after ${seconds(ended.durationMs)}`];
};

/** What a person reads. */
export const explainLines = (explained: Explained): string[] => {
  const { run, user, given, program, startedAt, state, controls, denied, allowed, notices, findings, unrecorded } = explained;
  const loose = controls.filter((control) => control.state !== 'enforced');
  return [
    `${run}${program === null ? '' : `, ${program}`}, of ${user}, at ${startedAt}: ${STATES[state]}`,
    ...(given === null
      ? []
      : [
          'given',
          ...list('agent', [`${given.agent} (${given.proof})`]),
          ...list('folder', [given.cwd]),
          ...(given.parent === null ? [] : list('inside', [given.parent])),
          ...(given.manifest === null ? [] : list('manifest', [given.manifest])),
          ...list(
            'policies',
            given.policies.map(
              ({ name, revision, owner, contact }) =>
                `${name} revision ${revision}${owner === undefined && contact === undefined ? '' : `, of ${whomToAsk({ owner: owner ?? null, contact: contact ?? null })}`}`,
            ),
          ),
          ...list('may read', ['what programs need to start', ...given.read]),
          ...list('may write', ['a /tmp of its own', ...given.write]),
          ...list('never sees', given.hidden),
          ...list('network', given.hosts),
          ...list('variables', given.environment),
          ...list('rights', given.rights),
          ...list('limits', given.limits, 'none'),
          ...list('checked', [
            `before it started: ${given.attestation.mounts} mounts as planned, account ${given.attestation.uid}, no capabilities, system calls filtered`,
          ]),
          ...(loose.length === 0
            ? []
            : list(
                'not wholly',
                loose.map((control) => `${control.control}: ${control.state}`),
              )),
        ]),
    ...(given === null ? [] : ['denied', ...(denied.length === 0 ? ['  nothing that Cordon saw'] : denied.flatMap(denialLines))]),
    ...(given === null
      ? []
      : ['  A file that is not granted is simply not there for it, and nobody sees that it was looked for: ask cordon why PATH']),
    ...(allowed.length === 0 ? [] : ['reached', ...allowed.map(({ target, times: count }) => `  ${target}, ${times(count)}`)]),
    ...(notices.length === 0
      ? []
      : [
          'told',
          ...notices.map(({ at, code, endsAt }) => `  at ${at}: ${endsAt === null ? 'it may go on' : `it ends at ${endsAt}`} [${code}]`),
        ]),
    ...(findings.length === 0 ? [] : ['found', ...findings.map(({ at, code, place }) => `  at ${at}: ${place} [${code}]`)]),
    ...(unrecorded === 0 ? [] : [`${unrecorded} more events were not kept here`]),
    ...endLines(explained),
  ];
};

export const explainCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('explain', args);
  const [run, ...more] = given.words;
  if (more.length > 0) throw misused(commandNamed('explain'), 'One run at a time');
  requireRunName(run);
  await askAbout({ op: 'explain', ...(run !== undefined && { run }) }, (reply) => {
    if (reply.type === 'explained') printResult(given, reply.explained, () => explainLines(reply.explained));
  });
  return 0;
};
