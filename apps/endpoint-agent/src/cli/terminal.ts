/** The terminal of whoever asks: handed over to a run byte by byte, and given back as it was, whatever happens. */
import { spawnSync } from 'node:child_process';
import { CordonError } from '@cordon/policy/errors.ts';

/** As ssh does it: not even a line end is changed. (Node's own raw mode changes those on the way out.) */
const RAW = ['raw', '-echo', '-iexten'];

export interface HeldTerminal {
  /** As it was before, once or more often. */
  giveBack(): void;
}

const stty = (words: readonly string[]): string => {
  const { status, stdout, error } = spawnSync('stty', words, { stdio: ['inherit', 'pipe', 'ignore'], encoding: 'utf8' });
  if (status !== 0)
    throw new CordonError(
      'cli.terminal',
      `stty ${words[0] ?? ''} failed${error === undefined ? '' : `: ${error.message}`}. Without a terminal: cordon run --no-tty`,
    );
  return stdout.trim();
};

/**
 * Takes this process's terminal until it is given back, at its exit at the latest. While this process is stopped, the terminal is its shell's.
 * @param onContinue it goes on after it was stopped: the size may be another
 * @throws CordonError `cli.terminal`
 */
export const holdTerminal = (onContinue: () => void): HeldTerminal => {
  const before = stty(['-g']);
  let isHeld = true;
  const restore = (): void => {
    try {
      stty([before]);
    } catch {
      return; // the terminal itself has gone
    }
  };
  const stop = (): void => {
    restore();
    process.kill(process.pid, 'SIGSTOP');
  };
  const goOn = (): void => {
    stty(RAW);
    onContinue();
  };
  const giveBack = (): void => {
    if (!isHeld) return;
    isHeld = false;
    process.off('exit', giveBack).off('SIGTSTP', stop).off('SIGCONT', goOn);
    restore();
  };
  process.on('exit', giveBack).on('SIGTSTP', stop).on('SIGCONT', goOn);
  stty(RAW);
  return { giveBack };
};
