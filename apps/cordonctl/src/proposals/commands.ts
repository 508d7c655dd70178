/** `cordonctl propose`, `proposals list|show`, `approve` and `publish`. */
import readline from 'node:readline/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { signApproval } from '@cordon/policy/approval/signed-approval.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { visible } from '@cordon/policy/visible.ts';
import { createClient, type Client } from '../api/client.ts';
import { CONNECTION_OPTIONS, connectionFrom } from '../api/connection.ts';
import { openKeyWith, passphraseFile } from '../keys/key-file.ts';
import { reviewOf } from './review.ts';
import { detailReply, pageReply, summaryReply, type ProposalDetail } from './wire.ts';
import { reviewLines, summaryLine } from './words.ts';

const say = (...lines: readonly string[]): void => void process.stdout.write(`${lines.map(visible).join('\n')}\n`);

const proposalId = (words: readonly string[], usage: string): string => {
  const [id, ...more] = words;
  if (id === undefined || more.length > 0 || !/^prp_[A-Za-z0-9_-]{1,60}$/.test(id)) throw new CordonError('cli.usage', usage);
  return id;
};

export const listCommand = async (args: readonly string[]): Promise<number> => {
  const { values } = parseArgs({ args: [...args], options: CONNECTION_OPTIONS });
  const { items } = await createClient(connectionFrom(values)).get('/proposals?limit=100', pageReply);
  if (items.length === 0) say('there are no proposals');
  else say(...items.map(summaryLine));
  return 0;
};

export const proposeCommand = async (args: readonly string[]): Promise<number> => {
  const { values } = parseArgs({
    args: [...args],
    options: { ...CONNECTION_OPTIONS, title: { type: 'string' }, 'way-back': { type: 'string' } },
  });
  if (values.title === undefined) throw new CordonError('cli.usage', 'cordonctl propose --title TEXT [--way-back 7d]');
  const wayBack = values['way-back'];
  const body = { title: values.title, ...(wayBack !== undefined && { wayBack }) };
  const detail = await createClient(connectionFrom(values)).post('/proposals', body, detailReply);
  say(...reviewLines(detail, reviewOf(detail, new Date())), `approvers sign it with: cordonctl approve ${detail.id} --key FILE`);
  return 0;
};

export const showCommand = async (args: readonly string[]): Promise<number> => {
  const { values, positionals } = parseArgs({ args: [...args], options: CONNECTION_OPTIONS, allowPositionals: true });
  const id = proposalId(positionals, 'cordonctl proposals show ID');
  const detail = await createClient(connectionFrom(values)).get(`/proposals/${id}`, detailReply);
  say(...reviewLines(detail, reviewOf(detail, new Date())));
  return 0;
};

/** @returns whether the person typed yes */
const confirmed = async (): Promise<boolean> => {
  const prompt = readline.createInterface({ input: process.stdin, output: process.stdout });
  try {
    // What ends without an answer is none.
    const closed = new Promise<string>((resolve) => prompt.once('close', () => resolve('')));
    return (await Promise.race([prompt.question('Sign this with your key? Type yes: '), closed])).trim() === 'yes';
  } finally {
    prompt.close();
  }
};

const refuseClosed = ({ state, id }: ProposalDetail): void => {
  if (state !== 'open') throw new CordonError(`proposal.${state}`, `proposal ${id} is ${state}: nothing is left to approve`);
};

export const approveCommand = async (args: readonly string[]): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...CONNECTION_OPTIONS, key: { type: 'string' }, passphrase: { type: 'string' }, yes: { type: 'boolean', default: false } },
  });
  const id = proposalId(positionals, 'cordonctl approve ID --key FILE [--passphrase FILE] [--yes]');
  if (values.key === undefined) throw new CordonError('cli.usage', "name your approver's key: --key FILE, as cordonctl keys init wrote it");
  const client = createClient(connectionFrom(values));
  const detail = await client.get(`/proposals/${id}`, detailReply);
  refuseClosed(detail);
  const review = reviewOf(detail, new Date());
  say(...reviewLines(detail, review));
  if (!values.yes && !(await confirmed())) {
    say('not signed');
    return 1;
  }
  const key = openKeyWith(values.key, values.passphrase ?? passphraseFile(values.key));
  const after = await client.post(`/proposals/${id}/signatures`, { jws: await signApproval(review.payload, [key]) }, summaryReply);
  const missing = after.threshold - after.signatures.length;
  say(
    `signed by ${key.kid}; ${after.signatures.length} of ${after.threshold} approvers have`,
    missing > 0 ? `${missing} more must sign before it can be published` : `publish it with: cordonctl publish --proposal ${id}`,
  );
  return 0;
};

const publishReply = Compile(
  Type.Object({ changeSet: Type.String(), serial: Type.Integer(), cohorts: Type.Integer(), devices: Type.Integer() }),
);
const progressReply = Compile(Type.Object({ devices: Type.Integer(), acknowledged: Type.Integer(), failed: Type.Integer() }));
const LOOK_EVERY_MS = 500;

/** Says how far it is whenever that changes. @returns whether every device enforces it */
const follow = async (client: Client, changeSet: string, ms: number): Promise<boolean> => {
  let told = '';
  for (const end = Date.now() + ms; ;) {
    const { devices, acknowledged, failed } = await client.get(`/change-sets/${changeSet}`, progressReply);
    const now = `${acknowledged} of ${devices} devices enforce it${failed > 0 ? `, ${failed} refused it` : ''}`;
    if (now !== told) say(now);
    told = now;
    if (acknowledged >= devices) return true;
    if (Date.now() > end) return false;
    await wait(LOOK_EVERY_MS);
  }
};

export const publishCommand = async (args: readonly string[]): Promise<number> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...CONNECTION_OPTIONS,
      proposal: { type: 'string' },
      'change-set': { type: 'string' },
      title: { type: 'string' },
      wait: { type: 'boolean', default: false },
      timeout: { type: 'string', default: '600' },
    },
  });
  const seconds = Number(values.timeout);
  if (!/^\d{1,5}$/.test(values.timeout)) throw new CordonError('cli.usage', `--timeout is a number of seconds, not ${values.timeout}`);
  const client = createClient(connectionFrom(values));
  const { proposal, title } = values;
  const changeSet = values['change-set'];
  const body = {
    ...(proposal !== undefined && { proposal }),
    ...(changeSet !== undefined && { changeSet }),
    ...(title !== undefined && { title }),
  };
  const made = await client.post('/publish', body, publishReply);
  say(`published as ${made.changeSet}, serial ${made.serial}: ${made.devices} devices in ${made.cohorts} cohorts get something else`);
  return !values.wait || (await follow(client, made.changeSet, seconds * 1000)) ? 0 : 1;
};
