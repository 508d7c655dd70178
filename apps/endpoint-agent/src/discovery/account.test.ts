import fc from 'fast-check';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { machineOf } from '@cordon/policy/agents/_machine.ts';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { scanAccount } from './account.ts';
import { AccountScan } from './account-scan.ts';

const Valid = Compile(AccountScan);
const servers = (entries: object): string => JSON.stringify({ mcpServers: entries });

describe('what an account has', () => {
  const home = '/home/ada';
  const files = {
    [`${home}/.npm-global/lib/node_modules/@openai/codex/package.json`]: '{"version":"0.40.0","bin":{"codex":"bin/codex.js"}}',
    [`${home}/.npm-global/lib/node_modules/@openai/codex/bin/codex.js`]: '',
    [`${home}/.local/share/claude/versions/2.1.7`]: 'ELF',
    [`${home}/.claude.json`]: JSON.stringify({
      mcpServers: { mine: { command: 'npx' } },
      projects: { '/projects/shop': { mcpServers: { local: { command: 'uvx' } } } },
    }),
    [`${home}/.codex/config.toml`]: '[mcp_servers.db]\ncommand = "/opt/db/server"\n',
    '/projects/shop/.mcp.json': servers({ shop: { url: 'https://x' } }),
    '/projects/other/.mcp.json': servers({ other: { command: 'x' } }),
    '/projects/never/.mcp.json': servers({ never: { command: 'x' } }),
    '/etc/claude-code/managed-settings.json': '{}',
  };
  const machine = machineOf(files, 'linux');

  it('is its agents, the servers of its settings and of the projects that are known, and the files of its programs', () => {
    const { agents, servers: found, programs } = scanAccount(machine, { os: 'linux', user: 'ada', home, workspaces: ['/projects/other'] });
    expect(agents.map(({ agent, osUser, version }) => `${agent} ${osUser} ${version}`)).toEqual(['codex ada 0.40.0', 'claude-code ada ']);
    const ofClaude = found.filter(({ agent }) => agent === 'claude-code').map(({ name, scope, file }) => `${name} ${scope} ${file}`);
    expect(ofClaude.sort()).toEqual([
      'local project ${home}/.claude.json',
      'mine user ${home}/.claude.json',
      'other project ${workspace}/.mcp.json',
      'shop project ${workspace}/.mcp.json',
    ]);
    expect(found.filter(({ agent }) => agent === 'codex')).toEqual([
      {
        agent: 'codex',
        osUser: 'ada',
        name: 'db',
        scope: 'user',
        transport: 'program',
        program: 'server',
        file: '${home}/.codex/config.toml',
      },
    ]);
    expect(JSON.stringify(found)).not.toContain('/projects/');
    expect(programs).toEqual([
      { agent: 'codex', file: `${home}/.npm-global/lib/node_modules/@openai/codex/bin/codex.js` },
      { agent: 'claude-code', file: `${home}/.local/share/claude/versions/2.1.7` },
    ]);
    expect(machine.reads.filter((file) => file.includes('/projects/never'))).toEqual([]);
  });

  it.each<readonly [os: 'macos' | 'windows', home: string, files: Readonly<Record<string, string>>, found: readonly string[]]>([
    [
      'macos',
      '/Users/ada',
      {
        '/Users/ada/Library/Application Support/Claude/claude_desktop_config.json': servers({ desk: { command: '/opt/homebrew/bin/uvx' } }),
        '/Users/ada/Library/Application Support/Code/User/mcp.json': '{"servers":{"code":{"type":"http","url":"https://x"}}}',
        '/Users/ada/.claude.json': JSON.stringify({ projects: { '/Users/ada/shop': {} } }),
        '/Users/ada/shop/.mcp.json': servers({ shop: { command: 'npx' } }),
      },
      [
        'claude-code shop project program npx',
        'claude-desktop desk user program uvx',
        'copilot-vscode code user remote ',
        'github-copilot-cli shop project program npx',
      ],
    ],
    [
      'windows',
      String.raw`C:\Users\Ada`,
      {
        [String.raw`C:\Users\Ada\AppData\Roaming\Claude\claude_desktop_config.json`]: servers({
          desk: { command: String.raw`C:\Tools\desk.exe` },
        }),
        [String.raw`C:\Users\Ada\.codex\config.toml`]: String.raw`[mcp_servers.gh]
command = 'C:\Program Files\nodejs\npx.cmd'
env = { TOKEN = "secret" }`,
        [String.raw`C:\work\shop\.mcp.json`]: servers({ shop: { command: 'uvx' } }),
      },
      [
        'claude-code shop project program uvx',
        'claude-desktop desk user program desk.exe',
        'codex gh user program npx.cmd',
        'github-copilot-cli shop project program uvx',
      ],
    ],
  ])('on %s is where its profiles say', (system, place, record, expected) => {
    const { servers: found } = scanAccount(machineOf(record, system), {
      os: system,
      user: 'ada',
      home: place,
      workspaces: system === 'windows' ? [String.raw`C:\work\shop`] : [],
    });
    expect(found.map(({ agent, name, scope, transport, program }) => `${agent} ${name} ${scope} ${transport} ${program}`).sort()).toEqual(
      expected,
    );
  });

  it('is nothing of its home when the machine is asked about', () => {
    expect(scanAccount(machine, { os: 'linux', user: '', workspaces: [] })).toEqual({ agents: [], servers: [], programs: [] });
  });

  it('is within its limits whatever lies there', () => {
    const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }).map((text) => text.replaceAll(/[/\0]/g, '_'));
    const names = fc.array(name, { minLength: 1, maxLength: 600, size: 'max' });
    fc.assert(
      fc.property(names, fc.json(), (all, text) => {
        const entries = Object.fromEntries(all.map((one) => [one, { command: one }]));
        const hostile = machineOf(
          {
            [`${home}/.claude.json`]: JSON.stringify({
              mcpServers: entries,
              projects: Object.fromEntries(all.map((one) => [`/${one}`, {}])),
            }),
            [`${home}/.codex/config.toml`]: text,
            ...Object.fromEntries(all.map((one) => [`${home}/.local/share/claude/versions/${one}`, ''])),
            [`${home}/.npm-global/lib/node_modules/@openai/codex/package.json`]: text,
          },
          'linux',
        );
        expect(Valid.Check(scanAccount(hostile, { os: 'linux', user: 'ada', home, workspaces: [] }))).toBe(true);
        expect(hostile.reads.length).toBeLessThan(4000);
      }),
      { numRuns: Math.min(LAW_RUNS, 60) },
    );
  });
});
