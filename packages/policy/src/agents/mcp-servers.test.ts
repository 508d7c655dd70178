import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { projectsIn, serversIn } from './mcp-servers.ts';
import { readSettings } from './settings-text.ts';

const named = (agent: string, file: string, text: string): string[] =>
  serversIn(agent, readSettings(file, text)).own.map(({ name, transport, program }) => `${name} ${transport} ${program}`);

describe('MCP servers in settings', () => {
  it.each<readonly [agent: string, file: string, text: string, servers: readonly string[]]>([
    ['claude-code', '.mcp.json', '{"mcpServers":{"gh":{"command":"npx","args":["-y","x"]}}}', ['gh program npx']],
    [
      'codex',
      'config.toml',
      '[mcp_servers.gh]\ncommand = "uvx"\nargs = ["x"]\n[mcp_servers.web]\nurl = "https://x"',
      ['gh program uvx', 'web remote '],
    ],
    ['copilot-vscode', 'mcp.json', '{"servers":{"a":{"type":"http","url":"https://x"}}, /* c */ "inputs":[],}', ['a remote ']],
    ['opencode', 'opencode.json', '{"mcp":{"db":{"type":"local","command":["/usr/bin/bun","x","db"]}}}', ['db program bun']],
    [
      'zed-agent',
      'settings.json',
      '// mine\n{"context_servers":{"z":{"command":{"path":"/opt/z/z-server","args":["a"]}}}}',
      ['z program z-server'],
    ],
    [
      'goose',
      'config.yaml',
      'extensions:\n  developer: {type: builtin}\n  fetch: {type: stdio, cmd: uvx, args: [a]}',
      ['fetch program uvx'],
    ],
    [
      'continue',
      'config.yaml',
      'mcpServers:\n  - name: one\n    command: npx\n  - command: docker',
      ['one program npx', '#2 program docker'],
    ],
    ['openclaw', 'openclaw.json', '{"mcp":{"servers":{"s":{"command":"node"}}}}', ['s program node']],
    ['amp', 'settings.json', '{"amp.mcpServers":{"p":{"command":"C:\\\\Tools\\\\p.exe"}}}', ['p program p.exe']],
    ['aider', '.aider.conf.yml', 'extensions: {fetch: {cmd: uvx}}', []],
  ])('of %s, as its %s has them', (agent, file, text, servers) => {
    expect(named(agent, file, text)).toEqual(servers);
  });

  it('of single projects are told apart, and the projects themselves are known', () => {
    const value = readSettings(
      '.claude.json',
      '{"mcpServers":{"a":{"command":"x"}},"projects":{"/p":{"mcpServers":{"b":{"command":"y"}}},"odd":1}}',
    );
    const { own, projects } = serversIn('claude-code', value);
    expect([own.map(({ name }) => name), projects.map(({ name }) => name), projectsIn(value)]).toEqual([['a'], ['b'], ['/p']]);
  });

  it.each([
    ['TOKEN=abc npx server', ''],
    ['TOKEN="a b" npx', ''],
    ['https://user:pass@x.example/y', ''],
    ['npx -y server --token abc', 'npx'],
    ['/opt/My Tools/server', 'My'],
    ['${workspaceFolder}/bin/server', 'server'],
    [String.raw`C:\Program Files\nodejs\npx.cmd -y x --token abc`, 'npx.cmd'],
    [String.raw`C:\Tools\run TOKEN=abc.exe`, 'run'],
    [String.raw`C:\Tools\run \secret.exe`, 'run'],
    [String.raw`C:\a\server.exe`, 'server.exe'],
    ['$(cat secret)', ''],
    ['"quoted" x', ''],
    ['sh', 'sh'],
    ['', ''],
    ['x'.repeat(65), ''],
  ])('the program of %j is %j', (command, program) => {
    expect(serversIn('codex', { mcp_servers: { a: { command } } }).own[0]?.program).toBe(program);
  });

  it('say nothing of arguments, environments, headers, addresses and folders, wherever a secret stands in them', () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9]{12,24}$/).map((text) => `sec-${text}`);
    const place = fc.constantFrom('args', 'env', 'headers', 'url', 'cwd', 'envFile', 'httpUrl', 'type', 'transport', 'timeout', 'oauth');
    const container = fc.constantFrom('mcpServers', 'mcp_servers', 'servers', 'mcp', 'context_servers', 'amp.mcpServers');
    const shape = fc.constantFrom('text', 'list', 'map', 'after-command', 'assignment');
    const program = fc.constantFrom('npx', '/usr/bin/npx', String.raw`C:\Program Files\nodejs\npx.cmd`, String.raw`C:\a\npx`);
    fc.assert(
      fc.property(
        secret,
        place,
        container,
        shape,
        program,
        fc.constantFrom('claude-code', 'goose', 'codex'),
        (hidden, where, key, how, starts, agent) => {
          const value =
            how === 'list'
              ? ['-t', hidden]
              : how === 'map'
                ? { TOKEN: hidden, deeper: { [hidden]: hidden } }
                : `https://x.example/${hidden}`;
          const command =
            how === 'after-command' ? `${starts} \\${hidden}.exe` : how === 'assignment' ? `TOKEN=${hidden} ${starts}` : starts;
          const settings = { [key]: { server: { command, [where]: value } }, extensions: { e: { cmd: command, [where]: value } } };
          const found = serversIn(agent, readSettings('a.json', JSON.stringify(settings)));
          expect(found.own.length).toBeGreaterThan(0);
          expect(JSON.stringify(found)).not.toContain(hidden);
        },
      ),
      { numRuns: LAW_RUNS },
    );
  });

  it('are read from anything without a fault, and their names are short and harmless', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (value, name) => {
        const settings = { mcpServers: { [name]: value }, mcp: value, extensions: value, projects: { '/p': value } };
        const { own, projects } = serversIn('goose', settings);
        for (const server of [...own, ...projects]) {
          expect(server.name.length).toBeLessThanOrEqual(64);
          expect(server.name).not.toMatch(/\p{C}/u);
        }
      }),
      { numRuns: LAW_RUNS },
    );
  });
});

describe('the text of settings', () => {
  it('is JSON with comments and commas that end nothing, and strings keep theirs', () => {
    expect(readSettings('a.jsonc', '\uFEFF{ // c\n "a": "x // y, ]", /* , */ "b": [1, 2, ], "c\\"": 1, }')).toEqual({
      a: 'x // y, ]',
      b: [1, 2],
      'c"': 1,
    });
  });

  it.each([
    ['a.json', '{"a":'],
    ['a.toml', 'a = '],
    ['a.yaml', 'a: [1'],
    // Nine aliases of nine aliases, and so on: a few lines that would be gigabytes.
    ['a.yaml', `a0: &a0 [x]\n${Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`).join('\n')}`],
    ['a.txt', '{}'],
    ['a', '{}'],
  ])('%s that is no such text is nothing', (file, text) => {
    expect(readSettings(file, text)).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('a.json', 'a.toml', 'a.yaml', 'a.yml', 'a.jsonc'),
        fc.string({ unit: 'binary', maxLength: 200 }),
        (file, text) => {
          expect(() => readSettings(file, text)).not.toThrow();
        },
      ),
      { numRuns: LAW_RUNS },
    );
  });
});
