/** What a held run reads and writes: pipes, or a terminal of its own. */
import fs from 'node:fs';
import type net from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Owner } from './descriptors.ts';
import type { Helpers } from './helpers.ts';
import { inputOf, type Outputs } from './pipes.ts';
import { openTerminal, type TerminalRequest, type TerminalSize } from './terminal.ts';

export interface Streams {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** All that must have been taken before the run is over. */
  readonly outputs: readonly net.Socket[];
  /** Of no effect without a terminal. */
  resize(size: TerminalSize): void;
  /** The run has ended: nothing more is typed. */
  finish(): void;
}

export const pipeStreams = (init: number, { stdout, stderr }: Outputs): Streams => {
  const stdin = inputOf(init);
  return { stdin, stdout, stderr, outputs: [stdout, stderr], resize: () => undefined, finish: () => stdin.destroy() };
};

/** The first of its kind in a sandbox: nothing has run there yet. */
export const FIRST = 0;

/**
 * The terminal is of the sandbox's own devpts, so that it has its name inside, and none outside.
 * @param init the held sandbox's, whose mounts have been compared with the plan
 * @throws CordonError `launch.terminal`
 */
export const terminalStreams = async (
  init: number,
  { stdout, stderr }: Outputs,
  wanted: TerminalRequest,
  owner: Owner | undefined,
  helpers: Helpers,
): Promise<Streams> => {
  const folder = `/proc/${init}/root/dev/pts`;
  if (fs.statSync(folder).dev === fs.statSync('/dev/pts', { throwIfNoEntry: false })?.dev)
    throw new CordonError('launch.terminal', "the sandbox has the host's terminals, not its own");
  const terminal = await openTerminal({ ptmx: `${folder}/ptmx`, folder }, wanted, owner, helpers);
  if (terminal.number !== FIRST) {
    terminal.output.destroy();
    throw new CordonError('launch.terminal', 'somebody has a terminal in this sandbox already');
  }
  return {
    stdin: terminal.input,
    stdout: terminal.output,
    stderr,
    outputs: [terminal.output, stdout.resume(), stderr],
    resize: terminal.resize,
    finish: terminal.finish,
  };
};
