/** A run is told something while it is under way: on standard error, where a program's own errors go. */
import { visible } from '@cordon/policy/visible.ts';
import type { RunNotice } from '../local-api/protocol.ts';
import { noticeLine } from '../runs/notice.ts';

/** @param isHeld whether the terminal is in raw mode, and takes line ends as they are */
export const printNotice = (notice: RunNotice, isHeld: boolean): void => {
  const line = visible(`cordon: ${noticeLine(notice)}`);
  process.stderr.write(isHeld ? `\r\n${line}\r\n` : `${line}\n`);
};
