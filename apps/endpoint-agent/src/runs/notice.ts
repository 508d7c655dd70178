/** What a run is told while it lives: in words to whoever started it, and in a file beside its way to the daemon, for the program inside. */
import fs from 'node:fs';
import path from 'node:path';
import type { RunNotice } from '../local-api/protocol.ts';

/** Beside the socket that `CORDON_RUN_SOCKET` names; it is there only while the notice stands. */
export const NOTICE_FILE = 'notice.json';

/** @param door the run's socket; its folder is the daemon's, and the run sees it */
export const writeNotice = (door: string | undefined, notice: RunNotice): void => {
  if (door === undefined) return;
  const file = path.join(path.dirname(door), NOTICE_FILE);
  if (notice.endsAt === null) return fs.rmSync(file, { force: true });
  const next = `${file}.next`;
  fs.writeFileSync(next, `${JSON.stringify(notice)}\n`, { mode: 0o644 });
  fs.chmodSync(next, 0o644);
  fs.renameSync(next, file);
};

/** For people. */
export const noticeLine = ({ message, endsAt }: Pick<RunNotice, 'message' | 'endsAt'>): string =>
  endsAt === null ? `this run goes on: ${message}` : `this run ends at ${endsAt}: ${message}. Save what you need, and start it again`;
