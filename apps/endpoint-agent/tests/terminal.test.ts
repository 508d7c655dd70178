/** `cordon run` by a person at a terminal. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startControlPlane, type ControlPlane } from './_control-plane.ts';
import { enrol, install, type Daemon, type Installation } from './_daemon.ts';
import { sitDown, type Person } from './_terminal.ts';
import { createWorld, IS_ROOT, processesWith, type World } from './_world.ts';

let plane: ControlPlane;
let world: World;
let installation: Installation;
let daemon: Daemon;
const people: Person[] = [];

const startDaemon = async (): Promise<void> => {
  daemon = await installation.daemon();
};
beforeAll(async () => {
  plane = await startControlPlane();
  world = createWorld();
  installation = install(world);
  plane.publish('allow: { filesystem: { write: ["${workspace}"] } }');
  await enrol(installation, world, plane.url, plane.token());
  await startDaemon();
  await vi.waitFor(() => expect(plane.received('ack').length).toBeGreaterThan(0), { timeout: 30_000 });
});
afterEach(() => {
  for (const person of people.splice(0)) {
    person.kill('SIGKILL');
    person.leave();
  }
});
afterAll(async () => {
  await daemon?.stop();
  await plane?.stop();
  world?.remove();
});

const WHO = (): string[] => (IS_ROOT ? ['--user', world.account.name] : []);
const TERMINAL = { TERM: 'xterm-256color' };
/** `cordon run -- ARGV` at a terminal. */
const at = async (argv: readonly string[], flags: readonly string[] = [], errors?: number): Promise<Person> => {
  const person = await sitDown([...installation.command, 'run', ...WHO(), ...flags, '--', ...argv], {
    env: { ...installation.env, ...TERMINAL },
    cwd: world.workspace,
    ...(errors !== undefined && { errors }),
  });
  people.push(person);
  return person;
};
const bash = async (): Promise<Person> => {
  const person = await at(['bash', '--norc', '-i']);
  await person.sees('bash-');
  return person;
};

describe('a run at a terminal', () => {
  it('has a terminal of its own, with its name, its size and what it is called', async () => {
    const person = await at([
      'sh',
      '-c',
      'tty; stty size; echo "$TERM"; echo /dev/pts/*; test -t 0 && test -t 1 && test -t 2; echo "all $?"; exit 7',
    ]);
    expect(await person.ended).toBe(7);
    await person.sees('all 0');
    expect(person.screen()).toBe('/dev/pts/0\r\n40 100\r\nxterm-256color\r\n/dev/pts/0 /dev/pts/ptmx\r\nall 0\r\n');
  });

  it.each([
    ['exit 0', 0],
    ['exit 255', 255],
    ['kill -TERM $$', 143],
    ['kill -KILL $$', 137],
    ['exec nothing-of-that-name', 127],
  ])('%s ends with %i', async (line, status) => {
    expect(await (await at(['sh', '-c', line])).ended).toBe(status);
  });

  it('cannot reach the terminal of who asked, nor type into its own', async () => {
    const person = await at([
      'perl',
      '-e',
      'open(my $t, "+<", "/dev/tty") or die; my $c = "x"; print ioctl($t, 0x5412, $c) ? "typed\\n" : "refused: $!\\n"; print -e "' +
        '/dev/pts/1" ? "another\\n" : "alone\\n"',
    ]);
    expect(await person.ended).toBe(0);
    await person.sees('alone');
    expect(person.screen()).toBe('refused: Operation not permitted\r\nalone\r\n');
  });

  it('job control works: stop, list, go on, interrupt, quit', async () => {
    const person = await bash();
    person.type(`sh -c 'trap "echo again" CONT; echo ready; sleep 3600 & wait; wait'\n`);
    await person.sees(/\rready\r\n/);
    person.type('\u001a');
    await person.sees(/\[1\]\+ {2}Stopped/);
    person.type('jobs; echo "count $(jobs | wc -l)"\n');
    await person.sees('count 1');
    person.type('fg\n');
    await person.sees(/\nagain\r\n/);
    person.type('\u0003');
    person.type('echo "status $?"\n');
    await person.sees('status 130');
    person.type('sh -c "echo set; exec sleep 3600"\n');
    await person.sees(/\rset\r\n/);
    person.type('\u001c');
    person.type('echo "status $?"\n');
    await person.sees('status 131');
    person.type('\u0004');
    expect(await person.ended).toBe(0);
  });

  it('follows the size of the window', async () => {
    const person = await at([
      'bash',
      '--norc',
      '-c',
      `trap 'echo "now $(stty size)"' WINCH; echo ready; while :; do read -r -t 3600 line; done`,
    ]);
    await person.sees('ready');
    person.resize({ rows: 50, columns: 132 });
    await person.sees('now 50 132');
    person.resize({ rows: 10, columns: 20 });
    await person.sees('now 10 20');
  });

  it.skipIf(!fs.existsSync('/usr/bin/vi'))('an editor for whole screens is used as ever', async () => {
    const person = await at(['vi', '-u', 'NONE', '-N', 'letter']);
    await person.sees('letter');
    person.type('itwo\rlines\u001b:wq\r');
    expect(await person.ended).toBe(0);
    expect(fs.readFileSync(path.join(world.workspace, 'letter'), 'utf8')).toBe('two\nlines\n');
  });

  it('every byte arrives as it was written, both ways', async () => {
    const person = await at([
      'sh',
      '-c',
      'stty raw -echo; printf "ready\\n"; head -c 256 | od -An -tu1 -v | tr -s " \\n" " "; printf "\\033]0;title\\007 a\\nb"',
    ]);
    await person.sees('ready');
    person.type(
      Array.from({ length: 128 }, (_, byte) => String.fromCharCode(byte))
        .join('')
        .repeat(2),
    );
    expect(await person.ended).toBe(0);
    const bytes = Array.from({ length: 128 }, (_, byte) => byte).join(' ');
    await person.sees('a\nb');
    expect(person.screen()).toBe(`ready\n ${bytes} ${bytes} \u001b]0;title\u0007 a\nb`);
  });

  it.skipIf(!fs.existsSync('/usr/bin/less'))('a pager is used as ever', async () => {
    const person = await at(['sh', '-c', 'seq 1 1000 | less']);
    await person.sees(/\b39\b/);
    person.type('G');
    await person.sees('1000');
    person.type('q');
    expect(await person.ended).toBe(0);
  });

  it('much output arrives whole, also when the program is long gone', async () => {
    const person = await at(['seq', '1', '200000']);
    expect(await person.ended).toBe(0);
    await person.sees('200000\r\n');
    expect(person.screen()).toBe(Array.from({ length: 200_000 }, (_, i) => `${i + 1}\r\n`).join(''));
  });

  it('standard error stays where it was sent', async () => {
    const file = path.join(world.root, 'errors');
    const errors = fs.openSync(file, 'w');
    const person = await at(['sh', '-c', 'echo shown; echo kept >&2; test -t 2; echo "terminal $?"'], [], errors);
    fs.closeSync(errors);
    expect(await person.ended).toBe(0);
    await person.sees('terminal 1');
    expect(person.screen()).toBe('shown\r\nterminal 1\r\n');
    expect(fs.readFileSync(file, 'utf8')).toBe('kept\n');
  });

  it('pipes are to be had with --no-tty, and a terminal without one with --tty', async () => {
    const person = await at(['sh', '-c', 'test -t 0 || test -t 1; echo "terminal $?"'], ['--no-tty']);
    expect(await person.ended).toBe(0);
    await person.sees('terminal 1');
    const { stdout, status } = await installation.cordon(
      ['run', ...WHO(), '--tty', '--', 'sh', '-c', 'cat > typed; stty size; cat typed; exit 4'],
      {
        input: 'line\nrest',
        env: { TERM: 'strange name\n' },
      },
    );
    expect({ stdout, status }).toEqual({ stdout: 'line\r\nrest24 80\r\nline\r\nrest', status: 4 });
    expect(await installation.cordon(['run', '--tty', '--no-tty', '--', 'true'])).toMatchObject({ status: 125 });
  });
});

describe('the terminal of who asked', () => {
  const mark = (): string => `terminal-${randomBytes(6).toString('hex')}`;

  it('is as it was after a run that left its own in any state', async () => {
    const person = await at(['sh', '-c', 'stty raw -echo; echo ready; read line']);
    const before = person.modes();
    await person.sees('ready');
    expect(person.modes()).not.toBe(before);
    person.type('x\n');
    expect(await person.ended).toBe(0);
    expect(person.modes()).toBe(before);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('is as it was after %s of the command, and the run is gone', async (signal) => {
    const name = mark();
    const person = await at(['sh', '-c', 'echo ready; sleep 3600', name]);
    const before = person.modes();
    await person.sees('ready');
    expect(person.modes()).not.toBe(before);
    person.kill(signal);
    expect(await person.ended).toBe(137);
    expect(person.modes()).toBe(before);
    await expect.poll(() => processesWith(name), { timeout: 10_000 }).toEqual([]);
  });

  it('is its own again while the command is stopped, and handed over when it goes on', async () => {
    const person = await at(['sh', '-c', 'echo ready; read line; stty size; echo "got $line"']);
    const before = person.modes();
    await person.sees('ready');
    const held = person.modes();
    person.kill('SIGTSTP');
    await expect.poll(person.isStopped, { timeout: 10_000 }).toBe(true);
    expect(person.modes()).toBe(before);
    person.kill('SIGCONT');
    await expect.poll(person.modes, { timeout: 10_000 }).toBe(held);
    person.type('word\n');
    await person.sees('got word');
    expect(await person.ended).toBe(0);
  });

  it('is as it was when it was refused', async () => {
    const person = await at(['true'], ['--user', 'nobody-of-that-name']);
    const before = person.modes();
    expect(await person.ended).toBe(125);
    expect(person.modes()).toBe(before);
    await person.sees(/\[local\.user\]\r\n$/);
  });

  it('a closed terminal ends the run', async () => {
    const name = mark();
    const person = await at(['sh', '-c', 'trap "" HUP; echo ready; sleep 3600', name]);
    await person.sees('ready');
    person.leave();
    await expect.poll(() => processesWith(name), { timeout: 20_000 }).toEqual([]);
  });

  it('is as it was after the daemon was killed, and nothing of the run is left', async () => {
    const name = mark();
    const person = await at(['sh', '-c', 'stty raw; echo ready; sleep 3600', name]);
    const before = person.modes();
    await person.sees('ready');
    await daemon.kill();
    expect(await person.ended).toBe(125);
    expect(person.modes()).toBe(before);
    await person.sees(/\ncordon: the daemon went away, .*\[daemon\.gone\]\r\n$/);
    await expect.poll(() => processesWith(name), { timeout: 10_000 }).toEqual([]);
    await startDaemon();
  });
});
