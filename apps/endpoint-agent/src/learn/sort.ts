/** What was learned of a run, sorted into what it used and what it was refused, as its own account can tell them apart. */
import fs from 'node:fs';
import path from 'node:path';
import type { RecordedAccess } from '@cordon/policy/simulate/recorded.ts';
import type { LearnedFile, LearnedFrame, LearnedHost } from './learned.ts';

export interface Heard {
  readonly learned: LearnedFrame;
  readonly files: readonly LearnedFile[];
  readonly hosts: readonly LearnedHost[];
}

/** Whether this account could do it outside: what it cannot do anyway, the sandbox did not refuse. */
export type Could = (access: LearnedFile['access'], place: string) => boolean;

export const couldOutside: Could = (access, place) => {
  try {
    // What is written may not be there yet; its folder is.
    const target = access === 'write' && !fs.existsSync(place) ? path.dirname(place) : place;
    fs.accessSync(target, access === 'write' ? fs.constants.W_OK : fs.constants.R_OK);
    return true;
  } catch {
    return false; // not there, or not for this account
  }
};

/** A rule about the name would have helped. */
const REFUSED_HOSTS: ReadonlySet<string> = new Set(['egress.denied', 'egress.private']);
const REFUSED_FILES: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOENT']);

export const sortHeard = (
  { learned: { agent, user }, files, hosts }: Heard,
  could: Could = couldOutside,
): { readonly used: readonly RecordedAccess[]; readonly refused: readonly RecordedAccess[] } => {
  const who = { device: 'this', agent, osUser: user, os: 'linux' } as const;
  const file = ({ access, path: place }: LearnedFile): RecordedAccess => ({ kind: 'file', ...who, path: place, access });
  const host = ({ host: name, port, verdict, code }: LearnedHost): RecordedAccess => ({
    kind: 'egress',
    ...who,
    host: name,
    port,
    verdict,
    ...(code !== null && { code }),
  });
  return {
    used: [...files.filter(({ code }) => code === null).map(file), ...hosts.filter(({ verdict }) => verdict === 'allowed').map(host)],
    refused: [
      ...files.filter(({ code, access, path: place }) => code !== null && REFUSED_FILES.has(code) && could(access, place)).map(file),
      ...hosts.filter(({ verdict, code }) => verdict === 'denied' && code !== null && REFUSED_HOSTS.has(code)).map(host),
    ],
  };
};
