/** The script that the constant start line reads from its private descriptor: environment and argv that no process list shows. */
import { visible } from '@cordon/policy/visible.ts';
import type { LocalForward } from '../egress/forwards.ts';
import type { CarriedLimits } from './limiter.ts';

/** Quotes one word for a POSIX shell: nothing in it is special. */
export const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

export interface Start {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly argv: readonly string[];
  /** Set where the egress bridge must be started from inside (no root): socat and the run's socket. */
  readonly bridge?: { readonly socat: string; readonly socket: string };
  /** Ports of its own that lead to one place outside, by the way of the proxy. */
  readonly forwards?: { readonly socat: string; readonly to: readonly LocalForward[] };
  /** Limits that the workload carries, where the run has no control group for them. */
  readonly limits?: CarriedLimits;
  /** The run's own terminal, by its place inside the sandbox; standard error stays a pipe unless it goes there too. */
  readonly terminal?: { readonly place: string; readonly stderr: boolean };
}

export const PROXY_PORT = 3128;

/** Nothing else is in the run's network namespace: how many TCP sockets there are says whether the last of these listens. (The table of sockets takes milliseconds to read.) */
const OCCUPIED =
  'occupied() { while read -r kind _ count _; do [ "$kind" = TCP: ] && return "$((count < $1))"; done </proc/net/sockstat; return 1; }';

const listenLines = (socat: string, port: number, to: string, before: number): string[] => [
  `${socat} TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr ${quote(to)} </dev/null >/dev/null 2>&1 8>&- &`,
  `until occupied ${before + 1}; do kill -0 $! 2>/dev/null || exit 125; sleep 0.001; done`,
];

const bridgeLines = ({ socat, socket }: NonNullable<Start['bridge']>): string[] => [
  'occupied 1 && exit 125',
  ...listenLines(socat, PROXY_PORT, `UNIX-CONNECT:${socket}`, 0),
];

/** The proxy listens already. */
const forwardLines = ({ socat, to }: NonNullable<Start['forwards']>): string[] =>
  to.flatMap(({ at, host, port }, i) =>
    listenLines(socat, at, `PROXY:127.0.0.1:${host.includes(':') ? `[${host}]` : host}:${port},proxyport=${PROXY_PORT}`, i + 1),
  );

/** The sandbox's init counts, and so does the bridge where it is inside. Shells disagree about the letter for processes. */
const limitLines = ({ dataBytes, processes }: CarriedLimits, others: number): string[] => [
  ...(dataBytes === undefined ? [] : [`ulimit -d ${Math.ceil(dataBytes / 1024)} || exit 125`]),
  ...(processes === undefined
    ? []
    : [`most=${processes + others}; if (ulimit -u $most) 2>/dev/null; then ulimit -u $most; else ulimit -p $most; fi || exit 125`]),
];

const PATH = '/usr/local/bin:/usr/bin:/bin';

/** What the shell says of a program that is not there names a line of this script; whoever started it wants to know what to do. */
const programLine = (program: string): string => {
  const why = `cordon: ${visible(program)} is not there for this run: it must lie where a policy lets it be read, and on PATH (${PATH}) or be named by its whole path [launch.program]`;
  return `command -v -- ${quote(program)} >/dev/null 2>&1 || [ -e ${quote(program)} ] || { printf '%s\\n' ${quote(why)} >&2; exit 127; }`;
};

/**
 * What is to be done once, then the same script again as the leader of a session of its own, whose controlling terminal this is: job control needs that. What was
 * started before stays in the session without a terminal, where no key reaches it.
 */
const terminalLines = ({ place, stderr }: NonNullable<Start['terminal']>, once: readonly string[]): string[] => [
  'if [ "$0" != terminal ]; then',
  ...once,
  `exec setsid -c sh -c '. /proc/self/fd/8' terminal <>${place} >&0${stderr ? ' 2>&0' : ''}`,
  'fi',
];

export const startScript = ({ cwd, environment, argv, bridge, forwards, limits = {}, terminal }: Start): string => {
  const listening = [...(bridge === undefined ? [] : bridgeLines(bridge)), ...(forwards === undefined ? [] : forwardLines(forwards))];
  const once = listening.length === 0 ? [] : [OCCUPIED, ...listening];
  return [
    ...(terminal === undefined ? once : terminalLines(terminal, once)),
    ...limitLines(limits, (bridge === undefined ? 1 : 2) + (forwards?.to.length ?? 0)),
    `cd ${quote(cwd)} || exit 126`,
    ...Object.entries(environment).map(([name, value]) => `export ${name}=${quote(value)}`),
    // A program without a name is the shell's own matter.
    ...argv.slice(0, 1).filter(Boolean).map(programLine),
    `exec ${argv.map(quote).join(' ')} 8>&-`,
    '',
  ].join('\n');
};

/**
 * The environment of every run: what programs need to start, the proxy, and the caller's values of the names that the policy passes on.
 * @param terminal what the run's terminal is called, if it has one
 * @param door its way to the daemon, if it has one
 */
export const runEnvironment = (
  user: { readonly name: string; readonly home: string },
  passed: Readonly<Record<string, string>>,
  terminal?: string,
  door?: string,
): Record<string, string> => {
  const proxy = `http://127.0.0.1:${PROXY_PORT}`;
  return {
    ...passed,
    ...(terminal !== undefined && { TERM: terminal }),
    PATH,
    HOME: user.home,
    USER: user.name,
    LOGNAME: user.name,
    TMPDIR: '/tmp',
    http_proxy: proxy,
    https_proxy: proxy,
    HTTP_PROXY: proxy,
    HTTPS_PROXY: proxy,
    all_proxy: proxy,
    ALL_PROXY: proxy,
    no_proxy: '',
    NO_PROXY: '',
    NODE_USE_ENV_PROXY: '1',
    ...(door !== undefined && { CORDON_RUN_SOCKET: door }),
  };
};
