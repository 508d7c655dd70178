/**
 * Which processes of this machine are agents: by the file that runs, or the script that an interpreter was given, never by a process's own name. A look costs one
 * readlink for each process that was there before. What a process can hold up (its memory, its file systems) is read apart from the daemon's own work, two at a time at most.
 */
import fs from 'node:fs';
import path from 'node:path';
import { runsScripts, toRun } from '@cordon/policy/agents/command-line.ts';
import { CERTAIN_NAMES, traceOf, traceOfModule } from '@cordon/policy/agents/trace.ts';
import type { Evidence } from '@cordon/policy/protocol/inventory.ts';
import type { Contents } from './content.ts';

export interface AgentProcess {
  readonly pid: number;
  /** In clock ticks: tells it from a later process with its number. */
  readonly startTime: string;
  readonly parent: number;
  readonly uid: number;
  /** Of process numbers, as the kernel names it. */
  readonly namespace: string;
  readonly agent: string;
  readonly evidence: Evidence;
  /** The file that shows it; of `python -m` the module. */
  readonly file: string;
}

type Judged = Pick<AgentProcess, 'agent' | 'evidence' | 'file'>;

interface Known {
  /** Undefined: the kernel's own, or another account's that this one may not look at. */
  readonly exe: string | undefined;
  judged: Judged | undefined;
  looks: number;
}

/** A process may run another program under its number soon after its start: an interpreter's is read again at these looks, then at every sixteenth. */
const YOUNG = 4;
const SELDOM = 16;
const MOST_HELD_UP = 2;
const PATIENCE_MS = 2000;
const MOST_WORDS = 65_536;

const link = (file: string): string | undefined => {
  try {
    return fs.readlinkSync(file);
  } catch {
    return undefined; // it has ended, is the kernel's, or another account's
  }
};

/** Only an administrator puts programs there, and under their own names: they are not compared by content. Nearly all that starts is one of them. */
const OF_THE_SYSTEM = /^\/(usr\/(s?bin|lib|lib64|libexec)|s?bin|lib|lib64)\//;

const withoutMark = (exe: string): string => exe.replace(/ \(deleted\)$/, '');

/** Where the script of a process lies, links resolved as it sees them. */
const scriptOf = async (pid: number, word: string): Promise<string> => {
  const place = path.resolve(link(`/proc/${pid}/cwd`) ?? '/', word);
  const isElsewhere = link(`/proc/${pid}/root`) !== '/' || link(`/proc/${pid}/ns/mnt`) !== link('/proc/self/ns/mnt');
  const root = isElsewhere ? `/proc/${pid}/root` : '';
  const real = await fs.promises.realpath(root + place).catch(() => place);
  return root !== '' && real.startsWith(root) ? real.slice(root.length) : real;
};

const judge = async (pid: number, exe: string, contents: Contents): Promise<Judged | undefined> => {
  const name = path.basename(exe);
  if (!runsScripts(name)) {
    const copied = await contents.match(`/proc/${pid}/exe`);
    return copied === undefined ? undefined : { agent: copied, evidence: 'content', file: exe };
  }
  const handle = await fs.promises.open(`/proc/${pid}/cmdline`);
  let words: string;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(MOST_WORDS), 0, MOST_WORDS, 0);
    words = buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
  const argv = words.replace(/\0+$/, '').split('\0');
  const what = toRun(name, argv);
  if (what === undefined) {
    // A program that gave itself a title wrote it over its command line: then the title is all that there is, and an agent's is its name.
    const titled = argv.length === 1 ? CERTAIN_NAMES.linux.get(argv[0] ?? '') : undefined;
    return titled === undefined ? undefined : { agent: titled, evidence: 'name', file: exe };
  }
  if (what.kind === 'module') {
    const trace = traceOfModule(what.name);
    return trace && { ...trace, file: what.name.split('.')[0] ?? '' };
  }
  const script = await scriptOf(pid, what.path);
  const trace = traceOf(script, 'linux', true);
  if (trace !== undefined) return { ...trace, file: script };
  const copied = OF_THE_SYSTEM.test(script) ? undefined : await contents.match(script);
  return copied === undefined ? undefined : { agent: copied, evidence: 'content', file: script };
};

/** What of a matched process is asked at each look. @returns undefined when it has ended */
const standing = (pid: number): Pick<AgentProcess, 'startTime' | 'parent' | 'uid' | 'namespace'> | undefined => {
  const namespace = link(`/proc/${pid}/ns/pid`);
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const uid = /^Uid:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    if (namespace === undefined || uid === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { startTime: fields[19] ?? '', parent: Number(fields[1]), uid: Number(uid), namespace };
  } catch {
    return undefined; // it has ended
  }
};

export type Look = () => Promise<readonly AgentProcess[]>;

/** @param log told when processes hold up their being looked at */
export const createLook = (contents: Contents, log: (message: string) => void): Look => {
  const known = new Map<number, Known>();
  let heldUp = 0;
  let count = 0;

  /** Ends in time whatever the process does. A process that could not be looked into in time shows what its file alone says, and is looked into again. */
  const judgeInTime = async (pid: number, exe: string): Promise<{ readonly judged: Judged | undefined; readonly isFinal: boolean }> => {
    const trace = traceOf(exe, 'linux');
    const byFile = trace && { ...trace, file: exe };
    if (!runsScripts(path.basename(exe)) && (byFile !== undefined || OF_THE_SYSTEM.test(exe))) return { judged: byFile, isFinal: true };
    if (heldUp >= MOST_HELD_UP) return { judged: byFile, isFinal: false };
    let timer: NodeJS.Timeout | undefined;
    heldUp += 1;
    const judging = judge(pid, exe, contents)
      .catch(() => undefined) // it has ended
      .finally(() => (heldUp -= 1))
      .then((judged) => ({ judged, isFinal: true }));
    const late = new Promise<{ judged: Judged | undefined; isFinal: false }>((resolve) => {
      timer = setTimeout(() => {
        log(`process ${pid} holds up whoever looks at it`);
        resolve({ judged: byFile, isFinal: false });
      }, PATIENCE_MS);
    });
    const first = await Promise.race([judging, late]);
    clearTimeout(timer);
    return first;
  };
  const lookOnce = async (): Promise<readonly AgentProcess[]> => {
    count += 1;
    const there = new Set<number>();
    for (const name of fs.readdirSync('/proc')) {
      const pid = Number(name);
      if (!Number.isInteger(pid)) continue;
      there.add(pid);
      const before = known.get(pid);
      const isTime = (pid + count) % SELDOM === 0;
      if (before?.exe === undefined && before !== undefined && !isTime) continue;
      const found = link(`/proc/${pid}/exe`);
      const exe = found === undefined ? undefined : withoutMark(found);
      if (before !== undefined && before.exe === exe) {
        before.looks += 1;
        if (exe === undefined || !runsScripts(path.basename(exe)) || (before.looks >= YOUNG && !isTime)) continue;
      }
      const { judged, isFinal } = exe === undefined ? { judged: undefined, isFinal: true } : await judgeInTime(pid, exe);
      // Of what is not final, the file is not remembered: so it is judged again.
      known.set(pid, { exe: isFinal ? exe : '', judged, looks: before?.exe === exe ? (before?.looks ?? 0) : 0 });
    }
    const agents: AgentProcess[] = [];
    for (const [pid, { judged }] of known) {
      if (!there.has(pid)) known.delete(pid);
      else if (judged !== undefined) {
        const now = standing(pid);
        if (now !== undefined) agents.push({ pid, ...now, ...judged });
      }
    }
    return agents;
  };
  let looking: Promise<readonly AgentProcess[]> | undefined;
  return () => {
    looking ??= lookOnce().finally(() => (looking = undefined));
    return looking;
  };
};
