/** What all shells need to know of the table of commands. */
import { COMMANDS } from '../table.ts';
import type { Command, Completes } from '../table/command.ts';

/** Commands of people: what is for other programs would only be in the way. */
export const offered = (): readonly Command[] => COMMANDS.filter(({ plumbing }) => plumbing !== true);

/** First words, each once, with what they stand for. */
export const firstWords = (): readonly (readonly [word: string, summary: string])[] => {
  const words = new Map<string, string>();
  for (const { name, summary } of offered()) {
    const [first = '', second] = name.split(' ');
    const before = words.get(first);
    words.set(first, second === undefined ? summary : `${before === undefined ? '' : `${before}, `}${second}`);
  }
  return [...words, ['help', 'what a command does']];
};

/** Second words of a first word that has any. */
export const groups = (): ReadonlyMap<string, readonly Command[]> => {
  const found = new Map<string, Command[]>();
  for (const command of offered()) {
    const [first = '', second] = command.name.split(' ');
    if (second !== undefined) found.set(first, [...(found.get(first) ?? []), command]);
  }
  return found;
};

/** Where a list of fixed words is offered. */
export const fixed = (completes: Completes | undefined): readonly string[] =>
  Array.isArray(completes) ? (completes as readonly string[]) : [];

/** In single quotes for a shell of the Bourne family. */
export const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
