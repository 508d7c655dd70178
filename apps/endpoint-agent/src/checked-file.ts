/**
 * Small state of the daemon's own, one JSON object a file. A check beside it tells a changed file from a written one: it is no secret and no defence against
 * who may write here, but no flipped byte passes for something else.
 */
import fs from 'node:fs';
import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { readJson, removeDurably, writeDurably } from './durable.ts';

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

export interface CheckedFile<T> {
  /** @returns undefined when there is none; `damaged` when it is not what was written */
  read(): T | 'damaged' | undefined;
  /** Durable once it returns. @throws CordonError `state.disk-full`, or what the system says */
  write(value: T): void;
  remove(): void;
}

export const checkOf = (value: object): string => sha256Hex(canonicalJson(value)).slice(0, 16);

export const checkedFile = <S extends TSchema>(file: string, schema: S): CheckedFile<Static<S>> => {
  const validator = Compile(schema);
  return {
    read: () => {
      const value = readJson(file);
      if (!isObject(value)) return fs.existsSync(file) ? 'damaged' : undefined;
      const { check, ...kept } = value;
      return validator.Check(kept) && check === checkOf(kept) ? kept : 'damaged';
    },
    write: (value) => writeDurably(file, JSON.stringify({ ...(value as object), check: checkOf(value) })),
    remove: () => removeDurably(file),
  };
};
