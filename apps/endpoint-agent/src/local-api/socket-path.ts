import path from 'node:path';

/** Where an account's socket lies. In a file of its own, so that the command starts without loading the server. */
export const socketFor = (runtimeDir: string, uid: number): string => path.join(runtimeDir, 'users', String(uid), 'cordon.sock');
