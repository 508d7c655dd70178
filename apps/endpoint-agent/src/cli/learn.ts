/**
 * `cordon learn [--agent ID] [--user NAME] [--manifest FILE] [--out FILE] [--policy FILE] -- COMMAND`: the command, contained like any run; afterwards what it used
 * and was refused, as a manifest and a policy to review. Both go to standard error unless files are named, since standard output is the command's.
 */
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { learnLocally, type LocalProposal } from '@cordon/policy/learn/local.ts';
import { visible } from '@cordon/policy/visible.ts';
import type { LearnedFile, LearnedFrame, LearnedHost } from '../learn/learned.ts';
import { sortHeard, type Heard } from '../learn/sort.ts';
import type { Reply } from '../local-api/protocol.ts';
import { runAs } from './run.ts';
import { argumentsOf, commandNamed } from './table.ts';
import { misused } from './table/command.ts';

const MOST_NAMED = 20;

/** `Weather Tool.js` → `weather-tool-js` */
export const nameFor = (program: string): string => {
  const name = path
    .basename(program)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 60);
  return name === '' ? 'learned' : name;
};

/** What a person reads, and what all of it rests on. */
export const reportLines = ({ learned, files, hosts }: Heard, refused: number, { withheld }: LocalProposal): string[] => {
  const denied = hosts
    .filter(({ verdict }) => verdict === 'denied')
    .map(({ host, port, code, count }) => `network  ${host}:${port} ${code ?? ''} (${count})`);
  const { recorder, complete, why } = learned.files;
  return [
    `learned from ${learned.run}, which was contained like any run:`,
    `  network  ${hosts.length} different requests, by the egress proxy: all that there were`,
    recorder === null
      ? `  files    NOT RECORDED: ${why ?? ''}`
      : `  files    ${files.length} different attempts, by ${recorder}${complete ? ': all of the run, but not of runs inside it' : `; NOT ALL: ${why ?? ''}`}`,
    ...(learned.overflow > 0 ? [`  ${learned.overflow} accesses found no room and are not in here`] : []),
    `  refused  ${refused} different ones that a policy might give`,
    ...denied.slice(0, MOST_NAMED).map((line) => `           ${line}`),
    ...withheld.map(({ reason, count }) => `  left out ${count}: ${reason}`),
  ];
};

/** A file that is there is somebody's. @throws CordonError `file.exists` */
const requireFree = (file: string | undefined): void => {
  if (file !== undefined && fs.existsSync(file))
    throw new CordonError('file.exists', `${file} is there already: name another, or move it away`, { place: file });
};

export const learnCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('learn', args);
  if (given.rest.length === 0) throw misused(commandNamed('learn'), 'The command stands after --');
  const [out, policy] = [given.options.get('out'), given.options.get('policy')];
  for (const file of [out, policy]) requireFree(file);
  const files: LearnedFile[] = [];
  const hosts: LearnedHost[] = [];
  let learned: LearnedFrame | undefined;
  const status = await runAs(given, (reply: Reply) => {
    if (reply.type === 'learned.files') files.push(...reply.files);
    if (reply.type === 'learned.hosts') hosts.push(...reply.hosts);
    if (reply.type === 'learned') learned = reply.learned;
  });
  if (learned === undefined) return status; // it did not start, and was told so
  const heard: Heard = { learned, files, hosts };
  const { used, refused } = sortHeard(heard);
  const { workspace, variables, agent } = learned;
  const proposal = learnLocally({
    name: nameFor(given.rest[0] ?? ''),
    ...(agent !== 'unknown' && { agent }),
    used,
    refused,
    variables: { ...variables, workspace: workspace ?? undefined },
  });
  const say = (text: string): void => void process.stderr.write(text);
  say(
    `${reportLines(heard, refused.length, proposal)
      .map((line) => visible(`cordon: ${line}`))
      .join('\n')}\n`,
  );
  for (const [file, what, text] of [
    [out, 'manifest', proposal.manifestText],
    [policy, 'policy', proposal.policyText],
  ] as const) {
    if (text === undefined) say(`cordon: no ${what}: nothing was refused that one could give\n`);
    else if (file === undefined) say(`cordon: the ${what}, to review:\n${text.split('\n').map(visible).join('\n')}`);
    else {
      fs.writeFileSync(file, text, { flag: 'wx' });
      say(visible(`cordon: the ${what}, to review, is in ${file}`) + '\n');
    }
  }
  return status;
};
