/** `cordon policy check`, `cordon manifest check` and `cordon manifest build`, as a person or a pipeline starts them: no daemon, no state. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseManifest } from '@cordon/policy/manifest/parse.ts';

let folder: string;
beforeAll(() => {
  folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-documents-')));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const cordon = (...args: readonly string[]): { status: number | null; stdout: string; stderr: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(import.meta.dirname, '../src/main.ts'), ...args], {
    cwd: folder,
    env: { PATH: '/usr/bin:/bin', CORDON_AGENT_RUNTIME: path.join(folder, 'no-daemon') },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
};
const write = (name: string, text: string): string => {
  fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  fs.writeFileSync(path.join(folder, name), text);
  return name;
};

const POLICY = 'apiVersion: cordon/v1\nkind: ContainmentPolicy\nmetadata: { name: story }\n';

describe('cordon policy check', () => {
  it('says of each file every error and its place, and ends with 2', () => {
    const good = write('good.yaml', `${POLICY}spec: { allow: { filesystem: { write: ["\${workspace}"] } } }\n`);
    const bad = write('bad.yaml', `${POLICY}spec:\n  alow: {}\n  deny:\n    network: { hosts: [{ host: "a b" }] }\n`);
    expect(cordon('policy', 'check', good)).toEqual({ status: 0, stdout: 'good.yaml: valid\n', stderr: '' });
    const { status, stdout } = cordon('policy', 'check', good, bad);
    expect(status).toBe(2);
    expect(stdout.split('\n')).toEqual([
      'good.yaml: valid',
      'bad.yaml:5:3: "alow" is not known here; did you mean "allow"? [policy.unknown-key] (/spec/alow)',
      'bad.yaml:7:32: "a b" is not a host name or address [host.invalid] (/spec/deny/network/hosts/0/host)',
      '',
    ]);
  });

  it('warns of what may not be meant, and ends with 0', () => {
    const file = write('broad.yaml', `${POLICY}spec:\n  allow:\n    network: { hosts: [{ host: "*" }] }\n`);
    const { status, stdout } = cordon('policy', 'check', file);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^broad\.yaml:6:32: warning: "\*" is every public address.* \[advice\.broad-host\] \(\/spec\/allow\/network\/hosts\/0\/host\)\nbroad\.yaml: valid\n$/,
    );
  });

  it('gives programs one object a line', () => {
    const { status, stdout } = cordon(
      'policy',
      'check',
      '--json',
      write('odd.json', '{"apiVersion": "cordon/v1", "spec": 1}'),
      'broad.yaml',
    );
    expect(status).toBe(2);
    const objects = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(objects.map(({ file, severity, code, line }) => [file, severity, code, line])).toEqual([
      ['odd.json', 'error', 'policy.missing-key', 1],
      ['odd.json', 'error', 'policy.missing-key', 1],
      ['odd.json', 'error', 'policy.value', 1],
      ['broad.yaml', 'warning', 'advice.broad-host', 6],
    ]);
  });

  it('names a file that cannot be read, and shows no control characters of a name or a text', () => {
    const { status, stdout } = cordon(
      'policy',
      'check',
      'gone\u001b[2J.yaml',
      write('tricky.yaml', `${POLICY}spec: { "\\u001b[2J": 1 }\n`),
    );
    expect(status).toBe(2);
    expect(stdout).toContain('gone\\u001b[2J.yaml');
    expect(stdout).toContain('[file.unreadable]');
    expect(stdout).not.toContain('\u001b');
  });

  it('without files, or with another word, says how it is used', () => {
    expect(cordon('policy', 'check').stderr).toContain('[cli.usage]');
    expect(cordon('policy', 'chekc', 'good.yaml').stderr).toContain('[cli.usage]');
  });
});

describe('cordon policy diff', () => {
  const spec = (allow: string, rest = ''): string =>
    `${POLICY}spec:\n  match: { agents: [codex] }\n  allow: { filesystem: { read: [${allow}] } }\n${rest}`;
  const older = (): string => write('older.yaml', spec('/srv/a, /srv/b', '  deny: { filesystem: { access: [/srv/a/keys] } }\n'));

  it('names what is gained and lost and by which rule, and ends with 3 when anything is gained', () => {
    const newer = write('newer.yaml', spec('/srv/a, /srv/c'));
    const { status, stdout, stderr } = cordon('policy', 'diff', older(), newer);
    expect([status, stderr]).toEqual([3, '']);
    expect(stdout.split('\n').map((line) => line.split(': ')[0]?.replaceAll(/ +/g, ' '))).toEqual([
      'for agent codex of user some-user on linux:',
      '+ filesystem.read /srv/a/keys deny-dropped',
      '+ filesystem.read /srv/c allow-added',
      '- filesystem.read /srv/b allow-dropped',
      'wider',
      '',
    ]);
    const told = JSON.parse(cordon('policy', 'diff', '--json', '--os', 'macos', older(), newer).stdout) as object;
    expect(told).toMatchObject({
      subject: { os: 'macos' },
      gained: [
        { target: '/srv/a/keys', cause: 'deny-dropped' },
        { target: '/srv/c', cause: 'allow-added', by: { revision: 2 } },
      ],
      lost: [{ target: '/srv/b', cause: 'allow-dropped', by: { revision: 1 } }],
      narrower: { verdict: 'no' },
    });
  });

  it('ends with 0 when the new one is proven to give nothing, to anyone', () => {
    const narrower = write(
      'narrower.yaml',
      spec('/srv/a', '  deny: { filesystem: { access: [/srv/a/keys] } }\n  limit: { resources: { timeout: 1h } }\n'),
    );
    expect(cordon('policy', 'diff', older(), narrower)).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('narrower or the same') as string,
    });
    expect(cordon('policy', 'diff', older(), older())).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('no difference of power') as string,
    });
    const home = write(
      'home.yaml',
      spec('"${home}/a", /srv/a', '  deny: { filesystem: { access: [/srv/a/keys] } }\n').replace('codex', 'codex, aider'),
    );
    expect(cordon('policy', 'diff', home, narrower)).toMatchObject({ status: 0 });
  });

  it('says which of the two is wrong, and how it is called', () => {
    const wrong = write('wrong.yaml', `${POLICY}spec: { alow: {} }\n`);
    expect(cordon('policy', 'diff', older(), wrong).stderr).toMatch(/wrong\.yaml: .*did you mean "allow"\?/);
    expect(cordon('policy', 'diff', older()).stderr).toContain('cordon policy diff OLD NEW');
    expect(cordon('policy', 'diff', older(), older(), '--os', 'beos').stderr).toContain('[cli.usage]');
  });
});

describe('cordon manifest', () => {
  it('build writes what check finds valid, the same every time', () => {
    write('agent/package.json', '{ "name": "@acme/weather-agent" }');
    write(
      'agent/src/weather.ts',
      "import { needs } from './needs.js';\nexport const fetchWeather = needs({ network: { hosts: [{ host: 'api.weather.example' }] } }, async (city: string) => city);\n",
    );
    write('agent/src/needs.ts', 'export const needs = (_declaration: object, subject: object) => subject;\n');
    const entry = write(
      'agent/src/main.ts',
      "import { fetchWeather } from './weather.ts';\nenum Unit { Celsius }\nawait fetchWeather('Oslo');\n",
    );
    const built = cordon('manifest', 'build', entry, '--agent', 'weather-bot');
    expect(built).toMatchObject({ status: 0, stderr: '' });
    expect(parseManifest(built.stdout).document).toMatchObject({
      metadata: { name: 'weather-agent', agent: 'weather-bot' },
      needs: { required: { network: { hosts: [{ host: 'api.weather.example' }] } } },
    });
    expect(built.stdout).toContain('{ host: api.weather.example } # src/weather.ts:2');
    expect(cordon('manifest', 'build', entry, '--agent', 'weather-bot', '--out', 'manifest.yaml')).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
    expect(fs.readFileSync(path.join(folder, 'manifest.yaml'), 'utf8')).toBe(built.stdout);
    expect(cordon('manifest', 'check', 'manifest.yaml')).toEqual({ status: 0, stdout: 'manifest.yaml: valid\n', stderr: '' });
  });

  it('build writes nothing where something is computed, and says where and what to write', () => {
    const entry = write(
      'computed.ts',
      "import { needs } from './agent/src/needs.ts';\nconst host = 'a.test';\nneeds({ network: { hosts: [{ host }] } }, {});\n",
    );
    const { status, stdout, stderr } = cordon('manifest', 'build', entry, '--out', 'never.yaml');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^computed\.ts:3:30: "host" is computed; .* write the value itself here \[manifest\.computed\]\n$/);
    expect(fs.existsSync(path.join(folder, 'never.yaml'))).toBe(false);
  });

  it('build says when there is nothing to find', () => {
    write('bare/package.json', '{}');
    const { status, stdout, stderr } = cordon('manifest', 'build', write('bare/nothing.ts', 'export {};\n'));
    expect(status).toBe(0);
    expect(parseManifest(stdout).document).toMatchObject({ metadata: { name: 'nothing' }, needs: {} });
    expect(stderr).toContain('no call of needs was found');
  });

  it('check says every error with its place', () => {
    const file = write(
      'wrong.yaml',
      'apiVersion: cordon/v1\nkind: AgentManifest\nmetadata: { name: x }\nneeds: { required: { ui: { clipboard: al } } }\n',
    );
    expect(cordon('manifest', 'check', file)).toMatchObject({
      status: 2,
      stdout:
        'wrong.yaml:4:39: "al" is not one of none, read, write, all; did you mean "all"? [manifest.value] (/needs/required/ui/clipboard)\n',
    });
  });
});

describe('docs/manifest.md', () => {
  const page = fs.readFileSync(path.join(import.meta.dirname, '../../../docs/manifest.md'), 'utf8');
  const blocks = (kind: string): readonly string[] =>
    [...page.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].filter((block) => block[1] === kind).map((block) => block[2] ?? '');

  it('shows manifests that are valid, and what its example builds', () => {
    const [source = '', ...moreSources] = blocks('ts');
    const [example = '', built = '', ...moreManifests] = blocks('yaml');
    expect([moreSources, moreManifests]).toEqual([[], []]);
    expect(parseManifest(example).document.metadata.agent).toBe('weather-bot');
    write('example/package.json', '{ "name": "weather" }');
    expect(cordon('manifest', 'build', write('example/weather.ts', source)).stdout).toBe(built);
  });
});
