/** The commands of docs/recovery.md, as they stand there, one loss after the other on one fleet. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { createDatabase, makeFolder, start, urlOf, type Running, type Site } from './_fleet.ts';
import { loosen, reach, running } from './_recovery.ts';

const ROOT = path.join(import.meta.dirname, '..');
const page = fs.readFileSync(path.join(ROOT, 'docs/recovery.md'), 'utf8');
const SERVICE = /^(?:CORDON_ORGANISATION=(\S+) )?node apps\/control-plane\/src\/main\.ts$/;

/** The command lines below a heading. */
const blockOf = (heading: string): string[] => {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? expect.unreachable(`no section ${heading}`);
  return [...section.matchAll(/^ {4}(\S.*)$/gm)].map(([, line = '']) => line);
};
const HEADINGS = [...page.matchAll(/^## (.+)$/gm)].map(([, heading = '']) => heading);
/** On a device; `tests/recovery.test.ts` does it. */
const ON_DEVICES = 'A device is unknown';

const FLOOR = `apiVersion: cordon/v1
kind: ContainmentPolicy
metadata: { name: floor }
spec: { limit: { resources: { timeout: 8h } } }
`;

describe('the page about recovery', () => {
  it('has commands for every loss, and they do what it says', { timeout: 300_000 }, async () => {
    const organisation = await running();
    const { at, devices } = organisation;
    let site: Site = organisation.site;
    let plane: Running = organisation.plane;
    let [newest, ceremonies] = [at('org'), 0];
    const tools = makeFolder();
    const command = [process.execPath, '--disable-warning=ExperimentalWarning', path.join(ROOT, 'apps/cordonctl/src/main.ts')];
    fs.writeFileSync(path.join(tools, 'cordonctl'), `#!/bin/sh\nexec ${command.join(' ')} "$@"\n`, { mode: 0o755 });
    const variables: Record<string, string> = {
      SECRET: at('secret'),
      BACKUP: at('backup'),
      ROOT: at('org'),
      FLOOR: at('org'),
      APPROVER: at('org/approver.key'),
      NEWEST: newest,
    };
    fs.writeFileSync(at('floor.yaml'), FLOOR);
    const done: string[] = [];

    const runLine = async (line: string): Promise<void> => {
      fs.writeFileSync(at('token'), plane.ownerToken, { mode: 0o600 });
      const env = {
        ...variables,
        PATH: `${tools}:/usr/bin:/bin`,
        CORDON_STATE: site.stateDir,
        DATABASE_URL: urlOf(site.owner),
        CORDON_SERVER: plane.adminUrl,
        CORDON_TOKEN_FILE: at('token'),
      };
      const child = spawn('sh', ['-c', line], { cwd: at(), env });
      child.stdin.end('yes\n');
      const [stdout, stderr, [status]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'exit') as Promise<[number | null]>,
      ]);
      // Something is the matter, as long as the page goes on.
      const isFine = status === 0 || (status === 1 && line.startsWith('cordonctl recover'));
      expect(isFine, `${line}\n${stdout}${stderr}`).toBe(true);
      const [id] = /\bprp_[\w-]+/.exec(stdout) ?? [];
      if (id !== undefined) variables['ID'] = id;
    };
    const follow = async (heading: string): Promise<void> => {
      variables['NEXT'] = at(`ceremony-${(ceremonies += 1)}`);
      for (const line of blockOf(heading)) {
        const [isService, folder] = SERVICE.exec(line) ?? [];
        if (isService === undefined) await runLine(line);
        else plane = await start(site, folder?.replaceAll('$NEXT', variables['NEXT']));
      }
      if (fs.existsSync(variables['NEXT'])) variables['NEWEST'] = newest = variables['NEXT'];
      done.push(heading);
    };
    const fleetHas = async (revision: number, epoch: number): Promise<void> => {
      for (const device of devices) await reach(device, revision, epoch);
    };

    await follow('Backup');
    await plane.close();
    site = { stateDir: path.join(makeFolder(), 'state'), port: site.port, owner: await createDatabase() };
    await follow('The machine is gone');
    await fleetHas(1, 1);
    await follow('Approve once');

    await plane.close();
    const yesterday = await createDatabase(site.owner);
    plane = await start(site);
    for (const revision of [2, 3]) await loosen(plane, organisation, revision);
    await fleetHas(3, 1);
    await plane.close();
    site = { ...site, owner: yesterday };
    await expect(start(site)).rejects.toMatchObject({ code: 'signer.rollback' });
    await follow('An older database');
    await fleetHas(1, 2);
    await follow('Approve once');

    await plane.close();
    fs.rmSync(path.join(site.stateDir, 'signer'), { recursive: true });
    await follow('The signer is lost');
    await follow('Approve once');
    await fleetHas(1, 3);

    await plane.close();
    await follow('A root key was lost');
    await fleetHas(1, 3);
    variables['ROOT'] = newest;

    await follow('Too few root keys are left');
    await plane.close();
    await follow('A new floor');
    for (const device of devices)
      await expect.poll(() => device.inForce()?.floor.spec.limit?.resources?.timeout, { timeout: 60_000 }).toBe('8h');
    await loosen(plane, organisation, 2);
    await fleetHas(2, 3);

    const told = HEADINGS.filter((heading) => heading !== ON_DEVICES && blockOf(heading).length > 0);
    expect(told.filter((heading) => !done.includes(heading))).toEqual([]);
    expect(blockOf(ON_DEVICES)).toContain('cordon enroll --server URL --token-file FILE --again');
  });

  it('names no code that the programs do not have, and no situation that recover does not say', () => {
    const sources = fs
      .globSync('{apps,packages}/*/src/**/*.ts', { cwd: ROOT })
      .filter((file) => !file.endsWith('.test.ts') && !file.includes('generated'))
      .map((file) => fs.readFileSync(path.join(ROOT, file), 'utf8'))
      .join('\n');
    const quoted = [...page.matchAll(/`([^`\n]+)`/g)].map(([, inner = '']) => inner);
    const isFile = /\.(?:json|log|md|ts|yaml|py)$/;
    const codes = quoted.filter((code) => /^[a-z]+(?:-[a-z]+)*\.[a-z]+(?:-[a-z]+)*$/.test(code) && !isFile.test(code));
    expect(codes.length).toBeGreaterThan(5);
    expect(codes.filter((code) => !sources.includes(`'${code}'`))).toEqual([]);
    const situations = fs.readFileSync(path.join(ROOT, 'packages/policy/src/recovery/situation.ts'), 'utf8');
    const known = [...situations.matchAll(/^ {2}\| '([a-z-]+)'/gm)].map(([, code = '']) => code);
    const table = page.slice(page.indexOf('| it says |'), page.indexOf('**Why the epoch'));
    expect(
      [...table.matchAll(/^\| ([^|]+) \|/gm)]
        .flatMap(([, cell = '']) => [...cell.matchAll(/`([a-z-]+)`/g)].map(([, code = '']) => code))
        .sort(),
    ).toEqual(known.toSorted());
    for (const [, file = ''] of page.matchAll(/`(tests\/[\w.-]+)`/g)) expect(fs.existsSync(path.join(ROOT, file)), file).toBe(true);
  });
});
