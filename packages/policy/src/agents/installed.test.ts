/** Machines as their installers leave them, written from the sources that the profiles name; Linux is tried for real in tests/discovery.test.ts. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import type { OperatingSystem } from '../effective.ts';
import { machineOf } from './_machine.ts';
import { expand, findInstalled } from './installed.ts';
import { PROFILES } from './profiles.ts';

const found = (files: Readonly<Record<string, string>>, os: OperatingSystem, home?: string): string[] =>
  findInstalled(machineOf(files, os), os, home).map(({ agent, source, version, place }) => `${agent} ${source} ${version} ${place}`);
const npm = (version: string): string => JSON.stringify({ name: 'x', version });

describe('what is installed on Linux', () => {
  it('for everybody: packages of npm and Python, and programs by name, each once', () => {
    const files = {
      '/usr/lib/node_modules/@anthropic-ai/claude-code/package.json': npm('2.1.7'),
      '/usr/lib/node_modules/npm/package.json': npm('11.0.0'),
      '/usr/bin/claude': '-> /usr/lib/node_modules/@anthropic-ai/claude-code/cli.js',
      '/opt/node-24/lib/node_modules/@openai/codex/package.json': npm('0.40.0'),
      '/usr/local/lib/python3.12/dist-packages/aider/__init__.py': '',
      '/usr/local/lib/python3.12/dist-packages/aider_chat-0.86.1.dist-info/METADATA': '',
      '/usr/local/bin/ollama': 'ELF',
      '/usr/bin/goose': 'a tool for databases',
      '/usr/bin/ls': '',
    };
    expect(found(files, 'linux')).toEqual([
      'claude-code package 2.1.7 /usr/lib/node_modules/@anthropic-ai/claude-code',
      'codex package 0.40.0 /opt/node-24/lib/node_modules/@openai/codex',
      'aider package 0.86.1 /usr/local/lib/python3.12/dist-packages/aider',
      'ollama name  /usr/local/bin/ollama',
    ]);
  });

  it('in a home: version managers, tools, own installers and editors', () => {
    const home = '/home/ada';
    const files = {
      [`${home}/.nvm/versions/node/v24.1.0/lib/node_modules/@google/gemini-cli/package.json`]: npm('1.2.3'),
      [`${home}/.nvm/versions/node/v22.9.0/lib/node_modules/@google/gemini-cli/package.json`]: npm('1.0.0'),
      [`${home}/.local/share/claude/versions/2.1.7`]: 'ELF',
      [`${home}/.local/bin/claude`]: `-> ${home}/.local/share/claude/versions/2.1.7`,
      [`${home}/.local/share/uv/tools/hermes-agent/lib/python3.12/site-packages/hermes_cli/main.py`]: '',
      [`${home}/.vscode/extensions/anthropic.claude-code-2.1.5-linux-x64/package.json`]: npm('2.1.5'),
      [`${home}/.cursor/extensions/saoudrizwan.claude-dev-3.20.1/package.json`]: npm('3.20.1'),
      [`${home}/go/bin/crush`]: 'ELF',
      [`${home}/.npm-global/lib/node_modules/opencode-ai/package.json`]: npm('1.0.0'),
      [`${home}/.npm-global/lib/node_modules/opencode-linux-x64/package.json`]: npm('1.0.0'),
    };
    expect(found(files, 'linux', home).sort()).toEqual([
      `claude-code extension 2.1.5 ${home}/.vscode/extensions/anthropic.claude-code-2.1.5-linux-x64`,
      `claude-code program  ${home}/.local/share/claude`,
      `cline extension 3.20.1 ${home}/.cursor/extensions/saoudrizwan.claude-dev-3.20.1`,
      `crush name  ${home}/go/bin/crush`,
      `gemini-cli package 1.0.0 ${home}/.nvm/versions/node/v22.9.0/lib/node_modules/@google/gemini-cli`,
      `gemini-cli package 1.2.3 ${home}/.nvm/versions/node/v24.1.0/lib/node_modules/@google/gemini-cli`,
      `hermes package  ${home}/.local/share/uv/tools/hermes-agent/lib/python3.12/site-packages/hermes_cli`,
      `opencode package 1.0.0 ${home}/.npm-global/lib/node_modules/opencode-ai`,
    ]);
  });
});

describe('what is installed on macOS', () => {
  it('applications by their bundle ids, whatever they are called, and what Homebrew put there', () => {
    const plist = (id: string, version: string): string =>
      `<plist><dict><key>CFBundleIdentifier</key>\n\t<string>${id}</string><key>CFBundleShortVersionString</key><string>${version}</string></dict></plist>`;
    const files = {
      '/Applications/Claude.app/Contents/Info.plist': plist('com.anthropic.claudefordesktop', '1.0.5'),
      '/Applications/My Editor.app/Contents/Info.plist': plist('com.exafunction.windsurf', '1.12.0'),
      '/Applications/Safari.app/Contents/Info.plist': plist('com.apple.Safari', '26.0'),
      '/opt/homebrew/Caskroom/claude-code/2.1.7/claude': '',
      '/opt/homebrew/Cellar/gemini-cli/1.2.0/bin/gemini': '',
      '/opt/homebrew/lib/node_modules/@openai/codex/package.json': npm('0.40.0'),
    };
    expect(found(files, 'macos')).toEqual([
      'codex package 0.40.0 /opt/homebrew/lib/node_modules/@openai/codex',
      'claude-code package 2.1.7 /opt/homebrew/Caskroom/claude-code',
      'gemini-cli package 1.2.0 /opt/homebrew/Cellar/gemini-cli',
      'claude-desktop program 1.0.5 /Applications/Claude.app',
      'windsurf program 1.12.0 /Applications/My Editor.app',
    ]);
  });
});

describe('what is installed on Windows', () => {
  it('packages of npm and winget, and extensions, in their own folders', () => {
    const home = String.raw`C:\Users\Ada`;
    const files = {
      [String.raw`${home}\AppData\Roaming\npm\node_modules\@anthropic-ai\claude-code\package.json`]: npm('2.1.7'),
      [String.raw`${home}\AppData\Local\Microsoft\WinGet\Packages\Anthropic.ClaudeCode_Microsoft.Winget.Source_8wekyb3d8bbwe\claude.exe`]:
        '',
      [String.raw`${home}\.vscode\extensions\github.copilot-chat-0.31.1\package.json`]: '',
      [String.raw`${home}\go\bin\crush.exe`]: '',
    };
    expect(found(files, 'windows', home)).toEqual([
      String.raw`claude-code package 2.1.7 C:\Users\Ada\AppData\Roaming\npm\node_modules\@anthropic-ai\claude-code`,
      String.raw`claude-code package  C:\Users\Ada\AppData\Local\Microsoft\WinGet\Packages\Anthropic.ClaudeCode_Microsoft.Winget.Source_8wekyb3d8bbwe`,
      String.raw`copilot-vscode extension 0.31.1 C:\Users\Ada\.vscode\extensions\github.copilot-chat-0.31.1`,
      String.raw`crush name  C:\Users\Ada\go\bin\crush.exe`,
    ]);
  });
});

describe('a listing', () => {
  const packages = PROFILES.flatMap(({ id, packages: all = [] }) =>
    all.filter(({ ecosystem, name }) => ecosystem === 'npm' && !/-(linux|darwin|win32)-/.test(name)).map(({ name }) => ({ id, name })),
  );

  it('finds every package of npm that a profile names, in whatever root', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...packages),
        fc.constantFrom('/usr/lib/node_modules', '/usr/local/lib/node_modules', '/opt/n/lib/node_modules'),
        ({ id, name }, root) => {
          expect(found({ [`${root}/${name}/package.json`]: npm('1.0.0') }, 'linux')).toContain(`${id} package 1.0.0 ${root}/${name}`);
        },
      ),
      { numRuns: LAW_RUNS },
    );
  });

  it('of anything ends, names known agents alone, and says no more of a version than a version can be', () => {
    const ids = new Set<string>(PROFILES.map(({ id }) => id));
    const name = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1 }).map((text) => text.replaceAll(/[/\0]/g, '_')),
      fc.constantFrom('claude', 'node_modules', '@openai', 'codex', 'extensions', 'anthropic.claude-code-x'),
    );
    const path = fc.array(name, { minLength: 1, maxLength: 4 });
    const root = fc.constantFrom('/usr/lib/node_modules', '/usr/bin', '/usr/local/lib/python3.1/dist-packages', '/opt');
    fc.assert(
      fc.property(fc.array(fc.tuple(root, path, fc.string()), { maxLength: 20 }), (files) => {
        const machine = machineOf(Object.fromEntries(files.map(([at, parts, text]) => [[at, ...parts].join('/'), text])), 'linux');
        for (const { agent, version } of findInstalled(machine, 'linux')) {
          expect(ids.has(agent)).toBe(true);
          expect(version).toMatch(/^[0-9A-Za-z.+_-]{0,40}$/);
        }
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('follows a pattern to as many folders as there may be, and hides none but those that begin with a dot', () => {
    const files = Object.fromEntries(Array.from({ length: 700 }, (_, i) => [`/opt/n${i}/lib/x`, '']));
    expect(expand(machineOf(files, 'linux'), '/opt/*/lib', 'linux').length).toBe(512);
    expect(expand(machineOf({ '/a/.x/b': '', '/a/y/b': '', '/a/python3.1/b': '' }, 'linux'), '/a/*', 'linux')).toEqual([
      '/a/y',
      '/a/python3.1',
    ]);
    expect(expand(machineOf({ '/a/python3.1/b': '', '/a/py/b': '' }, 'linux'), '/a/python3*', 'linux')).toEqual(['/a/python3.1']);
  });
});
