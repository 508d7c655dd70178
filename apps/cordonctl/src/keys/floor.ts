/** `cordonctl floor sign`: the next version of an organisation's floor, signed offline by its floor keys. Devices take it as they take new roots; an older one they refuse. */
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { signFloor } from '@cordon/policy/trust/founding.ts';
import { verifyFloor } from '@cordon/policy/trust/floor.ts';
import { inNewFolder, readText, writeNew } from '../files.ts';
import { describeChange, firstGain, floorChange, type FloorChange } from './floor-change.ts';
import { openKey } from './key-file.ts';
import { organisationText, readOrganisation } from './organisation-file.ts';

export interface FloorSigning {
  readonly organisation: string;
  readonly floor: PolicyDocument;
  /** Sealed key files of floor keys. */
  readonly with: readonly string[];
  readonly out: string;
  readonly now: Date;
  /** Sign it although it gives back something that the floor before took. */
  readonly loosen: boolean;
}

/** @throws CordonError `floor.loosens`, `floor.threshold`, `floor.*`, `files.*`, `keys.sealed` */
export const signNextFloor = async ({ organisation: file, floor, with: keys, out, now, loosen }: FloorSigning): Promise<FloorChange> => {
  const organisation = await readOrganisation(file, now);
  const before = await verifyFloor(organisation.floor, organisation.trusted);
  const version = before.version + 1;
  const signed = await signFloor(organisation.org, version, floor, keys.map(openKey));
  // What is written is what every device will accept: too few keys, or the wrong ones, are found here.
  await verifyFloor(signed, organisation.trusted);
  const change = floorChange(before.document, floor, version);
  if (!change.narrower && !loosen)
    throw new CordonError(
      'floor.loosens',
      `it is not proved that the new floor takes no less than version ${before.version} does: ${firstGain(change)}; say --loosen if that is meant`,
    );
  return inNewFolder(out, async () => {
    fs.mkdirSync(path.join(out, 'server'), { mode: 0o700 });
    writeNew(path.join(out, 'server', 'organisation.json'), organisationText({ ...organisation, floor: signed }));
    return change;
  });
};

export const signFloorCommand = async (args: readonly string[]): Promise<number> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      organisation: { type: 'string' },
      floor: { type: 'string' },
      with: { type: 'string', multiple: true },
      out: { type: 'string' },
      loosen: { type: 'boolean', default: false },
    },
  });
  const { organisation, floor, out } = values;
  if (organisation === undefined || floor === undefined || out === undefined || values.with === undefined)
    throw new CordonError(
      'cli.usage',
      'needed: --organisation FILE, --floor POLICY, --with KEYFILE for each floor key that signs, and --out DIR',
    );
  const document = parsePolicy(readText(floor)).document;
  const change = await signNextFloor({ organisation, floor: document, with: values.with, out, now: new Date(), loosen: values.loosen });
  process.stdout.write(
    `${describeChange(change)}it lies in ${path.join(out, 'server')}: start the server once with CORDON_ORGANISATION=${path.join(out, 'server')}\n`,
  );
  return 0;
};
