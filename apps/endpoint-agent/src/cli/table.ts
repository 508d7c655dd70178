/** The table of all commands. What is not here does not exist: not for the command, nor for its help, its completion and its man page. */
import { CordonError } from '@cordon/policy/errors.ts';
import { argumentsFor, type Command } from './table/command.ts';
import { ABOUT } from './table/about.ts';
import { DEVICE } from './table/device.ts';
import { DISCOVERY } from './table/discovery.ts';
import { DOCUMENTS } from './table/documents.ts';
import { EVERYDAY } from './table/everyday.ts';
import { INSTALL } from './table/install.ts';
import { LEARNING } from './table/learning.ts';
import { VERIFIER } from './table/verifier.ts';
import type { Arguments } from './arguments.ts';

export const COMMANDS: readonly Command[] = [
  ...EVERYDAY,
  ...LEARNING,
  ...DEVICE,
  ...DISCOVERY,
  ...INSTALL,
  ...DOCUMENTS,
  ...ABOUT,
  ...VERIFIER,
];

/** @throws CordonError `cli.command` */
export const commandNamed = (name: string): Command => {
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command === undefined) throw new CordonError('cli.command', `there is no command ${name}: see cordon help`);
  return command;
};

/** The arguments of the command with this name. @throws CordonError `cli.usage` */
export const argumentsOf = (name: string, args: readonly string[]): Arguments => argumentsFor(commandNamed(name), args);
