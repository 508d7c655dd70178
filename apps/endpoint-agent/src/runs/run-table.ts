/** The runs that live now, on disk too: a daemon that was killed finds at its next start what it left behind, and ends it. */
import fs from 'node:fs';
import path from 'node:path';
import type { EffectivePolicy, Subject } from '@cordon/policy/effective.ts';
import type { AgentManifest } from '@cordon/policy/manifest/schema.ts';
import { isAlive } from '../launch/gate.ts';
import type { Run } from '../launch/launcher.ts';
import type { Account } from '../local-api/accounts.ts';

export interface LiveRun {
  readonly run: Run;
  readonly subject: Subject;
  readonly account: Account;
  readonly cwd: string;
  readonly manifest?: AgentManifest | undefined;
  readonly effective: EffectivePolicy;
  readonly startedAt: number;
}

export interface RunTable {
  add(live: LiveRun): void;
  remove(run: string): void;
  all(): readonly LiveRun[];
}

/** Ends what a killed daemon left. @returns how many sandboxes were still there */
export const endOrphans = (folder: string): number => {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  let ended = 0;
  for (const name of fs.readdirSync(folder)) {
    const file = path.join(folder, name);
    const [pid = '', startTime = ''] = fs.readFileSync(file, 'utf8').split(' ');
    if (/^\d+$/.test(pid) && isAlive(Number(pid), startTime)) {
      process.kill(Number(pid), 'SIGKILL');
      ended += 1;
    }
    fs.rmSync(file);
  }
  return ended;
};

export const createRunTable = (folder: string): RunTable => {
  const live = new Map<string, LiveRun>();
  return {
    add: (entry) => {
      const { pid, startTime } = entry.run.attestation;
      live.set(entry.run.run, entry);
      fs.writeFileSync(path.join(folder, entry.run.run), `${pid} ${startTime}`, { mode: 0o600 });
    },
    remove: (run) => {
      live.delete(run);
      fs.rmSync(path.join(folder, run), { force: true });
    },
    all: () => [...live.values()],
  };
};
