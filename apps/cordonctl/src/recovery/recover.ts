/** `cordonctl recover`: looks at an installation, says what is the matter and the steps that mend it, and looks again when it is asked again. It changes nothing. */
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { CordonError } from '@cordon/policy/errors.ts';
import { isTrouble, readInspection, type Inspection } from '@cordon/policy/recovery/facts.ts';
import { situationOf } from '@cordon/policy/recovery/situation.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';
import { visible } from '@cordon/policy/visible.ts';
import { organisationText } from '../keys/organisation-file.ts';
import { ask } from './control-plane.ts';
import { GUIDES } from './guides.ts';
import { stepsFor, type Step } from './steps.ts';

const inspect = async (): Promise<Inspection> => {
  const found = readInspection(parseStrictJson(await ask(['inspect']), { maxBytes: 32_000_000, maxDepth: 8 }));
  if (found === undefined)
    throw new CordonError('recovery.control-plane', 'the control plane of another version answered: use the cordonctl of its checkout');
  return found;
};

/** Public documents: what every ceremony goes on from. Written anew each time, since they are a copy. */
const writeOrganisation = ({ database }: Inspection, file: string): string | undefined => {
  if (database === null || isTrouble(database)) return undefined;
  const { org, roots, floor } = database;
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, organisationText({ org, roots, floor }));
  return file;
};

const told = (steps: readonly Step[]): string =>
  steps
    .map(({ at, does, command }, i) => `  ${i + 1}. [${at}] ${visible(does)}${command === undefined ? '' : `\n       ${command}`}`)
    .join('\n');

/** Status 0: nothing is the matter. 1: there is something to do. */
export const recoverCommand = async (args: readonly string[]): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { out: { type: 'string' }, json: { type: 'boolean', default: false } },
  });
  const [topic] = positionals;
  if (topic !== undefined) {
    const guide = Object.hasOwn(GUIDES, topic) ? GUIDES[topic] : undefined;
    if (guide === undefined)
      throw new CordonError(
        'cli.usage',
        `cordonctl recover alone looks for itself; of what it cannot see it knows ${Object.keys(GUIDES).join(', ')}`,
      );
    process.stdout.write(`${guide.about}\n${told(guide.steps)}\n`);
    return 1;
  }
  const facts = await inspect();
  const { code, sees } = await situationOf(facts, new Date());
  const organisation = writeOrganisation(facts, path.resolve(values.out ?? '.', 'organisation.json'));
  const steps = stepsFor(code, organisation ?? 'organisation.json');
  if (values.json) process.stdout.write(`${JSON.stringify({ code, sees, organisation: organisation ?? null, steps })}\n`);
  else process.stdout.write(`${code}: ${visible(sees)}\n${steps.length === 0 ? '' : `${told(steps)}\n`}`);
  return steps.length === 0 ? 0 : 1;
};
