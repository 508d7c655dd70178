/** The `cordon` command and its daemon as processes, in a world and with a state folder of their own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import type { Status } from '../src/local-api/protocol.ts';
import type { World } from './_world.ts';
import { IS_ROOT } from './_world.ts';

const PROGRAM = path.join(import.meta.dirname, '../bin/cordon.js');

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Options {
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface Daemon {
  readonly process: ChildProcess;
  /** Everything that it printed so far. */
  log(): string;
  /** Asks it to stop, and waits until it has. */
  stop(): Promise<number | null>;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
}

export interface Installation {
  readonly stateDir: string;
  readonly runtimeDir: string;
  /** The command as it stands, to be started in another way. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  cordon(args: readonly string[], options?: Options): Promise<Outcome>;
  /** `cordon run -- ARGV` as the world's account. */
  run(argv: readonly string[], options?: Options): Promise<Outcome>;
  sh(line: string, options?: Options): Promise<Outcome>;
  status(): Promise<Status>;
  /** @param wrap a command that starts it. Waits until it serves, unless it ends first. */
  daemon(wrap?: readonly string[]): Promise<Daemon>;
}

/** @param hosts name to address, before any name server */
export const install = (
  world: World,
  hosts: Readonly<Record<string, string>> = {},
  stateDir = path.join(world.root, 'state'),
): Installation => {
  const hostsFile = path.join(world.root, 'hosts.json');
  fs.writeFileSync(hostsFile, JSON.stringify(hosts));
  const env = {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: world.root,
    CORDON_AGENT_STATE: stateDir,
    CORDON_AGENT_RUNTIME: world.runtimeDir,
    CORDON_AGENT_USERS: world.account.name,
    CORDON_AGENT_HOSTS_FILE: hostsFile,
    // Compiled once for all stories: each has a state folder of its own, where the command would keep it.
    NODE_COMPILE_CACHE: path.join(import.meta.dirname, '../../../.cache/compile'),
  };
  const command = [process.execPath, '--disable-warning=ExperimentalWarning', PROGRAM];
  const [node = '', ...before] = command;
  const cordon: Installation['cordon'] = async (args, options = {}) => {
    const child = spawn(node, [...before, ...args], {
      cwd: options.cwd ?? world.workspace,
      env: { ...env, ...options.env },
    });
    child.stdin.on('error', () => undefined); // it may end before it has read everything
    child.stdin.end(options.input);
    const [stdout, stderr, [status]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit') as Promise<[number | null]>,
    ]);
    return { status, stdout, stderr };
  };
  const asAccount = IS_ROOT ? ['--user', world.account.name] : [];
  const run: Installation['run'] = (argv, options) => cordon(['run', ...asAccount, '--', ...argv], options);
  return {
    stateDir,
    runtimeDir: world.runtimeDir,
    command,
    env,
    cordon,
    run,
    sh: (line, options) => run(['sh', '-c', line], options),
    status: async () => {
      const { status, stdout, stderr } = await cordon(['status', '--json']);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      return JSON.parse(stdout) as Status;
    },
    daemon: async (wrap = []) => {
      const [program, ...args] = [...wrap, ...command, 'daemon'];
      const child = spawn(program, args, { env, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
      let log = '';
      const ended = once(child, 'exit') as Promise<[number | null]>;
      const serves = new Promise<void>((resolve) => {
        for (const stream of [child.stdout, child.stderr])
          stream.on('data', (chunk: Buffer) => {
            log += chunk.toString('utf8');
            if (log.includes(' serves ')) resolve();
          });
      });
      await Promise.race([serves, ended]);
      return {
        process: child,
        log: () => log,
        stop: async () => {
          child.kill('SIGTERM');
          return (await ended)[0];
        },
        kill: async () => {
          child.kill('SIGKILL');
          await ended;
        },
      };
    },
  };
};

/** Writes a token where only this account can read it, and joins with it. */
export const enrol = async (installation: Installation, world: World, url: string, token: string): Promise<Outcome> => {
  const file = path.join(world.root, 'token');
  fs.writeFileSync(file, token, { mode: 0o600 });
  const outcome = await installation.cordon(['enroll', '--server', url, '--token-file', file]);
  fs.rmSync(file);
  return outcome;
};
