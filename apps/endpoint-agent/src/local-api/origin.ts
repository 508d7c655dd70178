/**
 * Which run a connection comes from, whatever socket it came through. Node tells no credentials of a peer; but the kernel lists an accepted connection in the network
 * namespace of who made it, each run has one of its own, and nothing in a run can leave it or make another. What counts is where the connection was made.
 */
import fs from 'node:fs';
import type net from 'node:net';
import { CordonError } from '@cordon/policy/errors.ts';

/** A run with the process that is its sandbox's init. */
interface Sandboxed {
  readonly run: { readonly attestation: { readonly pid: number } };
}

/** The number of a connection among the kernel's sockets. */
const inodeOf = (socket: net.Socket): number | undefined => {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null || !('fd' in handle) || typeof handle.fd !== 'number' || handle.fd < 0)
    return undefined;
  return fs.fstatSync(handle.fd).ino;
};

/** Whether the namespace of this process lists the connection: unix(7), /proc/net/unix. */
const lists = (pid: number | 'self', inode: number): boolean => {
  try {
    return new RegExp(`^\\S+: (?:\\S+ +){5}${inode}(?: |$)`, 'm').test(fs.readFileSync(`/proc/${pid}/net/unix`, 'latin1'));
  } catch {
    return false; // the run has just ended
  }
};

/** @throws CordonError `local.origin` for a connection that was made neither here nor in a run that lives */
export const createOrigin =
  <R extends Sandboxed>(runs: () => readonly R[]) =>
  (socket: net.Socket): R | undefined => {
    const inode = inodeOf(socket);
    if (inode !== undefined && lists('self', inode)) return undefined;
    const run = inode === undefined ? undefined : runs().find((live) => lists(live.run.attestation.pid, inode));
    if (run !== undefined) return run;
    throw new CordonError(
      'local.origin',
      "this comes from a network namespace that is not the daemon's and of no run that lives: ask from outside of other containers",
    );
  };
