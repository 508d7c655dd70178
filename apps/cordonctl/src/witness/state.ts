/** What a witness knows, in a folder of its own: whose history it follows and how far it has come. Durable before anything is signed that hangs on it. */
import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { MAX_CHECKPOINT } from '@cordon/policy/protocol/history.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';

const State = Type.Object(
  {
    format: Type.Literal('cordon-witness-state/1'),
    org: Type.String({ maxLength: 64 }),
    fingerprint: Type.String({ maxLength: 64 }),
    /** The newest checkpoint, as it was signed; null before the first. */
    newest: Type.Union([Type.String({ maxLength: MAX_CHECKPOINT }), Type.Null()]),
  },
  { additionalProperties: false },
);
export type WitnessState = Static<typeof State>;
const validator = Compile(State);
const MAX_STATE = 65_536;

export interface StateFolder {
  read(): WitnessState | undefined;
  write(state: WitnessState): void;
  /** Keeps what shows two histories, beside the state. @returns the file */
  evidence(name: string, content: object): string;
  close(): void;
}

const writeDurably = (file: string, content: string): void => {
  const next = `${file}.next`;
  const handle = fs.openSync(next, 'w', 0o600);
  try {
    fs.writeFileSync(handle, content);
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
  fs.renameSync(next, file);
  const folder = fs.openSync(path.dirname(file), 'r');
  try {
    fs.fsyncSync(folder);
  } finally {
    fs.closeSync(folder);
  }
};

/** Two processes on one state could each sign another history: the second is refused. @throws CordonError `witness.in-use` */
const lock = (folder: string): DatabaseSync => {
  const file = new DatabaseSync(path.join(folder, 'in-use.lock'));
  try {
    file.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return file;
  } catch (cause) {
    file.close();
    throw new CordonError('witness.in-use', `another witness uses ${folder}: each needs a state of its own`, { place: folder, cause });
  }
};

/** @throws CordonError `witness.in-use`, `witness.state` */
export const openState = (folder: string): StateFolder => {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const held = lock(folder);
  const file = path.join(folder, 'witness.json');
  return {
    read: () => {
      if (!fs.existsSync(file)) return undefined;
      const value = parseStrictJson(fs.readFileSync(file), { maxBytes: MAX_STATE, maxDepth: 4 });
      if (validator.Check(value)) return value;
      throw new CordonError(
        'witness.state',
        `${file} is damaged: a witness that forgot what it has seen could sign two histories; restore it, or begin with a new folder`,
        { place: file },
      );
    },
    write: (state) => writeDurably(file, `${JSON.stringify(state)}\n`),
    evidence: (name, content) => {
      const place = path.join(folder, name);
      writeDurably(place, `${JSON.stringify(content, null, 1)}\n`);
      return place;
    },
    close: () => {
      if (held.isOpen) held.close();
    },
  };
};
