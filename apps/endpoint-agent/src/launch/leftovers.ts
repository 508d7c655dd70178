/** What an earlier daemon of this folder started and nobody ended: a process of a launch whose lifeline was killed before the daemon was. */
import fs from 'node:fs';
import path from 'node:path';

export interface Places {
  /** Where wrapper and executor lie. */
  readonly helpers: string;
  /** Where the sockets of ways out lie. */
  readonly egress: string;
}

/**
 * Whether a process is one that only a launch starts: the executor itself, a sandbox with this folder's /etc, or a bridge to this folder's sockets. Arguments are compared whole, so
 * that an editor or a search with such a path among its words is not one.
 */
export const isOfLaunch = (argv: readonly string[], { helpers, egress }: Places): boolean => {
  const [program = '', ...rest] = argv;
  const isBridge = (argument: string | undefined): boolean => argument?.startsWith(`UNIX-CONNECT:${egress}/`) === true;
  switch (path.basename(program)) {
    case 'lxc-exec':
      return program === path.join(helpers, 'lxc-exec');
    case 'socat':
    case 'setpriv':
      return isBridge(rest.at(-1));
    case 'bwrap':
      return isBridge(rest.at(-1)) || (rest.includes(path.join(helpers, 'etc')) && rest.includes('--json-status-fd'));
    default:
      return false;
  }
};

const argvOf = (pid: string): string[] => {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').slice(0, -1);
  } catch {
    return []; // ended meanwhile
  }
};

/** Before anything of this daemon's own is started. @returns how many there were */
export const endLeftovers = (places: Places): number =>
  fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isOfLaunch(argvOf(name), places))
    .filter((pid) => {
      try {
        return process.kill(Number(pid), 'SIGKILL');
      } catch {
        return false; // ended meanwhile, or another account's
      }
    }).length;
