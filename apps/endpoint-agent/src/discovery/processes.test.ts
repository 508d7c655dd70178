/** Real processes of this test alone: others may run on the machine, so what is looked for is what was started here. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { createContents } from './content.ts';
import { createLook, type AgentProcess, type Look } from './processes.ts';

const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'look-')));
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

const script = (place: string, code = 'console.log("up"); setInterval(() => undefined, 1000);'): string => {
  const file = path.join(folder, place);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, code);
  return file;
};
const PACKAGE = 'node_modules/@openai/codex/bin/codex.js';
const start = async (program: string, args: readonly string[], cwd = '/'): Promise<number> => {
  const child = spawn(program, args, { cwd, env: {}, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout, 'data');
  return child.pid ?? 0;
};
const newLook = (): Look => createLook(createContents(), (message) => expect.fail(message));
const of = (all: readonly AgentProcess[], pid: number): Pick<AgentProcess, 'agent' | 'evidence' | 'file'> | undefined => {
  const found = all.find((one) => one.pid === pid);
  return found && { agent: found.agent, evidence: found.evidence, file: found.file };
};

describe('a look at the processes', () => {
  it('finds a script of an agent by its place, however it was named: with a link, from its folder, or after options', async () => {
    const file = script(PACKAGE);
    const link = path.join(folder, 'bin', 'my-tool');
    fs.mkdirSync(path.dirname(link), { recursive: true });
    fs.symlinkSync(file, link);
    const look = newLook();
    const pids = [
      await start(process.execPath, [file, 'a prompt']),
      await start(process.execPath, [link]),
      await start(process.execPath, ['--enable-source-maps', '--disable-warning', 'DEP0000', path.basename(file)], path.dirname(file)),
    ];
    const found = await look();
    for (const pid of pids) expect(of(found, pid)).toEqual({ agent: 'codex', evidence: 'package', file });
    const own = found.find(({ pid }) => pid === pids[0]);
    expect(own).toMatchObject({ uid: process.getuid?.(), parent: process.pid, namespace: fs.readlinkSync('/proc/self/ns/pid') });
    expect(JSON.stringify(found)).not.toContain('a prompt');
  });

  it('finds an agent that wrote its name over its command line, as some do', async () => {
    const titled = script('titled.js', 'process.title = "claude"; console.log("up"); setInterval(() => undefined, 1000);');
    const other = script('other.js', 'process.title = "claude-not"; console.log("up"); setInterval(() => undefined, 1000);');
    const pids = [await start(process.execPath, [titled]), await start(process.execPath, [other])];
    const found = await newLook()();
    expect(pids.map((pid) => of(found, pid)?.agent)).toEqual(['claude-code', undefined]);
  });

  it('finds none in a process that merely says it is one: a name, an argument, a script that has the name', async () => {
    const file = script('project/codex');
    const editor = script('project/editor.js');
    const look = newLook();
    const pids = [
      await start(process.execPath, [file]),
      await start(process.execPath, [editor, path.join(folder, PACKAGE)]),
      await start('bash', ['-c', `echo up; exec -a ${path.join(folder, PACKAGE)} tail -f /dev/null`]),
    ];
    const found = await look();
    for (const pid of pids) expect(of(found, pid)).toBeUndefined();
  });

  it('finds a program by its own file, also when that was deleted since', async () => {
    const program = path.join(folder, 'codex');
    fs.copyFileSync('/usr/bin/yes', program);
    fs.chmodSync(program, 0o755);
    const pid = await start(program, []);
    fs.rmSync(program);
    expect(of(await newLook()(), pid)).toEqual({ agent: 'codex', evidence: 'name', file: program });
  });

  it('sees when a process becomes another program, and when it ends', async () => {
    const file = script(PACKAGE);
    const pid = await start('bash', ['-c', `echo up; read -t 60 < <(sleep 60); exec ${process.execPath} ${file}`]);
    const look = newLook();
    expect(of(await look(), pid)).toBeUndefined();
    for (const name of fs.readdirSync('/proc').filter((text) => /^\d+$/.test(text)))
      if (
        fs.existsSync(`/proc/${name}/stat`) &&
        fs.readFileSync(`/proc/${name}/stat`, 'latin1').split(') ')[1]?.split(' ')[1] === String(pid)
      )
        process.kill(Number(name), 'SIGKILL');
    await expect.poll(async () => of(await look(), pid)?.agent, { timeout: 10_000 }).toBe('codex');
    const [child] = children.splice(0);
    const ended = child && once(child, 'exit');
    child?.kill('SIGKILL');
    await ended;
    expect(of(await look(), pid)).toBeUndefined();
  });

  it('finds a copy of a known program under another name', async () => {
    const original = script(
      'elsewhere/agent.js',
      `${'// the very program\n'.repeat(400)}console.log("up"); setInterval(() => undefined, 1000);`,
    );
    const copy = path.join(folder, 'mine.js');
    fs.copyFileSync(original, copy);
    const contents = createContents();
    await contents.learn([{ agent: 'goose', file: original, uid: process.getuid?.() ?? 0 }]);
    const pid = await start(process.execPath, [copy]);
    expect(of(await createLook(contents, () => undefined)(), pid)).toEqual({ agent: 'goose', evidence: 'content', file: copy });
  });

  it('does not wait for a process that holds up its being looked at, goes on with the others, and looks into it again', async () => {
    const [slow, quick] = [path.join(folder, 'slow'), path.join(folder, 'claude')];
    for (const program of [slow, quick]) {
      fs.copyFileSync('/usr/bin/yes', program);
      fs.chmodSync(program, 0o755);
    }
    const pids = [await start(slow, []), await start(quick, [])];
    const told: string[] = [];
    let release: (agent: string) => void = () => undefined;
    const held = new Promise<string>((resolve) => (release = resolve));
    const contents = {
      learn: () => Promise.resolve(),
      match: (file: string) => (file === `/proc/${pids[0]}/exe` ? held : Promise.resolve(undefined)),
    };
    const look = createLook(contents, (message) => told.push(message));
    const first = await look();
    expect([of(first, pids[0] ?? 0), of(first, pids[1] ?? 0)?.agent]).toEqual([undefined, 'claude-code']);
    expect(told).toEqual([`process ${pids[0]} holds up whoever looks at it`]);
    release('goose');
    await expect.poll(async () => of(await look(), pids[0] ?? 0)).toEqual({ agent: 'goose', evidence: 'content', file: slow });
  });

  it('is one look for all who ask meanwhile', async () => {
    const look = newLook();
    const [one, other] = await Promise.all([look(), look()]);
    expect(one).toBe(other);
  });
});
