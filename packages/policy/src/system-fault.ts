/** What the operating system refuses, as an error that says what to do: full disks, missing rights. */
import { CordonError } from './errors.ts';

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: free some space, then try again',
  EDQUOT: 'the quota of this account is used up: free some space, then try again',
  EROFS: 'the file system is read-only: choose another place',
  EACCES: 'this account may not: use the one that owns the place, or choose another place',
  EPERM: 'this account may not: use the one that owns the place, or choose another place',
  ENOENT: 'it is not there: look at its name',
};

/** @returns CordonError `system.refused`, or undefined for what is no such refusal */
export const systemFault = (error: unknown): CordonError | undefined => {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  const advice = Object.hasOwn(ADVICE, error.code) ? ADVICE[error.code] : undefined;
  if (advice === undefined) return undefined;
  const place = 'path' in error && typeof error.path === 'string' ? `${error.path}: ` : '';
  return new CordonError('system.refused', `${place}${advice} (${error.code})`, { cause: error });
};
