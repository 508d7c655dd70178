/** A person in front of an agent's screen, and the terminal emulator that draws it. */
import { expect } from 'vitest';
import type { Person } from '../../apps/endpoint-agent/tests/_terminal.ts';

export interface Sitting {
  /** What was drawn, without white space: an agent draws cell by cell, and leaves out what did not change. */
  screen(): string;
  /** Waits until the screen shows it. */
  sees(text: string | RegExp): Promise<void>;
  /** Types a line, and presses Enter until it is taken: agents take what comes fast for something pasted, in which Enter is a line of its own. */
  enters(line: string, isTaken: () => boolean): Promise<void>;
}

const PATIENCE = { timeout: 30_000, interval: 100 };
// oxlint-disable-next-line no-control-regex -- ECMA-48 control sequences, and xterm's operating system commands
const SEQUENCES = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[()][A-Z0-9]/g;
/** "Where is the cursor?" (DSR 6), which a terminal answers itself. */
const WHERE = '\u001b[6n';

export const sitting = (person: Person): Sitting => {
  let answered = 0;
  const screen = (): string => {
    const shown = person.screen();
    for (const asked = shown.split(WHERE).length - 1; answered < asked; answered += 1) person.type('\u001b[1;1R');
    return shown.replaceAll(SEQUENCES, '').replaceAll(/\s+/g, '');
  };
  const sees = (text: string | RegExp): Promise<void> =>
    expect.poll(screen, PATIENCE).toMatch(typeof text === 'string' ? new RegExp(RegExp.escape(text.replaceAll(/\s+/g, ''))) : text);
  return {
    screen,
    sees,
    enters: async (line, isTaken) => {
      person.type(line);
      await sees(line);
      await expect
        .poll(
          () => {
            screen();
            if (!isTaken()) person.type('\r');
            return isTaken();
          },
          { timeout: PATIENCE.timeout, interval: 400 },
        )
        .toBe(true);
    },
  };
};
