/** The program that stands in front of bubblewrap in the launcher's pinned PATH. */
import { quote } from './start-script.ts';

export interface WrapperOptions {
  /** The call of bubblewrap, word by word. */
  readonly bubblewrap: readonly string[];
  /** What bubblewrap says of itself: each launch asks for it. */
  readonly version: string;
  readonly tmpBytes: number;
  /** The executor is started in the run's network namespace already (see seat.ts): bubblewrap must not make another. */
  readonly seated: boolean;
  /** Shown as /etc, with some of its folders as they are (see etc.ts). */
  readonly etc: { readonly folder: string; readonly shared: readonly string[] };
  /** Those of `HOST_FACTS` that this kernel has. */
  readonly hostFacts: readonly string[];
}

/** Files of the sandbox's own /proc that tell of the host: its start, its keys, this very boot of it. */
export const HOST_FACTS = ['/proc/cmdline', '/proc/keys', '/proc/key-users', '/proc/sys/kernel/random/boot_id', '/proc/version_signature'];

/** What bubblewrap is called with beside what MXC says. The gate finds it again in the call of the held sandbox. */
export const HARDENING =
  '--unshare-cgroup-try --new-session --cap-drop ALL --disable-userns --hostname cordon --remount-ro / --seccomp 5 --json-status-fd 6 --block-fd 7';

/**
 * MXC finds `bwrap` in the pinned PATH; this is what it finds: it adds what MXC leaves open and fails closed. It
 * knows exactly two calls, the version probe and the launch of the constant start line, and of the launch only the options that MXC is known to use.
 *
 * Descriptors from the launcher: 5 filter, 6 status (out), 7 gate (in), 8 start script; 3, 4 and 9 are closed; any other is a reason to refuse, since a folder
 * left open is a way out of the sandbox. Standard input becomes an empty pipe, whose other end the launcher opens while the gate is closed. Masks and /dev become read-only, the private /tmp and /dev/shm get a size, the
 * resolver folders of the host are left out, and /etc is not the host's.
 */
export const wrapperScript = ({ bubblewrap, version, tmpBytes, seated, etc, hostFacts }: WrapperOptions): string => `#!/bin/sh
[ "$*" = --version ] && echo '${version}' && exit
unknown() { echo "cordon-bwrap: unknown $1" >&2; exit 126; }
for fd in /proc/self/fd/*; do case \${fd##*/} in [0-9]|10) ;; *) [ -e "$fd" ] && unknown "descriptor \${fd##*/}" ;; esac; done
exec 3>&- 4>&- 9>&-
left=$# first= second= want=0 option=
for arg do
  shift
  left=$((left - 1))
  case $want in
    2) first=$arg want=1; continue ;;
    1) want=0
      case $option in
        --ro-bind-try) case $arg in /run/*|/mnt/wsl/*) ;; /etc) set -- "$@" --ro-bind ${quote(etc.folder)} /etc${etc.shared.map((place) => ` --ro-bind ${place} ${place}`).join('')} ;; *) set -- "$@" "$option" "$first" "$arg" ;; esac ;;
        --ro-bind|--bind|--symlink) set -- "$@" "$option" "$first" "$arg" ;;
        --setenv) [ "$first" = PATH ] || unknown variable; set -- "$@" "$option" "$first" "$arg" ;;
        --tmpfs) if [ "$arg" = /tmp ]; then set -- "$@" --perms 0700 --size ${tmpBytes} --tmpfs /tmp
            else set -- "$@" --size 4096 --tmpfs "$arg" --remount-ro "$arg"; fi ;;
        --dev) [ "$arg" = /dev ] || unknown device; set -- "$@" --dev /dev --perms 0700 --size ${tmpBytes} --tmpfs /dev/shm --remount-ro /dev ;;
        --proc) [ "$arg" = /proc ] || unknown proc; set -- "$@" --proc /proc${hostFacts.map((place) => ` --ro-bind /dev/null ${place}`).join('')} ;;
      esac
      continue ;;
  esac
  case $arg in
    --unshare-user|--unshare-pid|--unshare-ipc|--unshare-uts|--unshare-cgroup|--die-with-parent|--clearenv) set -- "$@" "$arg" ;;
    --unshare-net) ${seated ? ': the network namespace is the seat' : 'set -- "$@" --unshare-net'} ;;
    --ro-bind-try|--ro-bind|--bind|--symlink|--setenv) option=$arg want=2 ;;
    --tmpfs|--dev|--proc) option=$arg want=1 first= ;;
    --) break ;;
    *) unknown "option $arg" ;;
  esac
done
[ "$want" = 0 ] && [ "$left" = 3 ] || unknown call
# The three arguments that were not read yet now stand first.
[ "$1" = sh ] && [ "$2" = -c ] && [ "$3" = '. /proc/self/fd/8' ] || unknown 'start line'
shift 3
exec 0<<end

end
read -r line
exec ${bubblewrap.join(' ')} "$@" ${HARDENING} -- sh -c '. /proc/self/fd/8'
`;
