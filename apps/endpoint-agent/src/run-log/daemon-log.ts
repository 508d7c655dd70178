/** What the daemon said, kept on this device too: the newest of it. Its own account and root may read it. */
import fs from 'node:fs';
import path from 'node:path';

export interface DaemonLine {
  readonly at: string;
  readonly message: string;
}

export interface DaemonLog {
  write(message: string): void;
  subscribe(listener: (line: DaemonLine) => void): () => void;
}

const MOST_BYTES = 1_048_576;
const MOST_MESSAGE = 4096;

const fileIn = (stateDir: string): string => path.join(stateDir, 'log', 'daemon.jsonl');
const before = (file: string): string => `${file}.1`;

const lineOf = (text: string): DaemonLine[] => {
  try {
    const value: unknown = JSON.parse(text);
    const isLine =
      typeof value === 'object' &&
      value !== null &&
      'at' in value &&
      'message' in value &&
      typeof value.at === 'string' &&
      typeof value.message === 'string';
    return isLine ? [{ at: value.at as string, message: value.message as string }] : [];
  } catch {
    return []; // cut in half by a crash
  }
};

/** Oldest first; empty where there is none, or this account may not read it. */
export const readDaemonLog = (stateDir: string): DaemonLine[] => {
  const file = fileIn(stateDir);
  return [before(file), file].flatMap((name) => {
    try {
      return fs.readFileSync(name, 'utf8').split('\n').flatMap(lineOf);
    } catch {
      return []; // as above
    }
  });
};

/** @param say where it also goes, as it always did */
export const openDaemonLog = (stateDir: string, now: () => Date, say: (message: string) => void): DaemonLog => {
  const file = fileIn(stateDir);
  const listeners = new Set<(line: DaemonLine) => void>();
  let size = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  return {
    write: (message) => {
      say(message);
      const line = { at: now().toISOString(), message: message.slice(0, MOST_MESSAGE) };
      const text = `${JSON.stringify(line)}\n`;
      try {
        if (size === 0) fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
        if (size + text.length > MOST_BYTES) {
          fs.renameSync(file, before(file));
          size = 0;
        }
        fs.appendFileSync(file, text, { mode: 0o600 });
        size += text.length;
      } catch {
        size = 0; // a full or read-only disk: the line is on standard output, and the next one tries again
      }
      for (const listener of listeners) listener(line);
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
};
