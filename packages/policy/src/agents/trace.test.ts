import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { recognise } from './profile.ts';
import { PROFILES } from './profiles.ts';
import { agentOfExtension, traceOf, traceOfModule } from './trace.ts';

describe('the place of a file', () => {
  it.each([
    ['/home/ada/.npm-global/lib/node_modules/@anthropic-ai/claude-code/cli.js', 'claude-code', 'package'],
    ['/tmp/x/node_modules/@openai/codex/bin/codex.js', 'codex', 'package'],
    ['/home/ada/.npm/_npx/1a2b/node_modules/@google/gemini-cli/dist/index.js', 'gemini-cli', 'package'],
    ['/opt/venv/lib/python3.12/site-packages/aider/main.py', 'aider', 'package'],
    ['/home/ada/.local/share/claude/versions/2.1.7', 'claude-code', 'program'],
    ['/home/ada/.vscode/extensions/anthropic.claude-code-2.1.7-linux-x64/resources/native-binary/claude', 'claude-code', 'extension'],
    ['/home/ada/.vscode-server/extensions/github.copilot-chat-0.31.1/dist/server.js', 'copilot-vscode', 'extension'],
    ['/home/ada/bin/codex', 'codex', 'name'],
    ['/usr/local/bin/zeroclaw', 'zeroclaw', 'name'],
  ])('%s shows %s by its %s', (file, agent, evidence) => {
    expect(traceOf(file, 'linux')).toEqual({ agent, evidence });
  });

  it.each([
    '/usr/bin/node',
    '/usr/lib/node_modules/@anthropic-ai/claude-code/vendor/node',
    '/home/ada/claude-code/run',
    '/home/ada/.vscode/extensions/somebody.claude-code-1.0.0/out/main.js',
    '/home/ada/.vscode/extensions/anthropic.claude-code-2.1.7',
    '/home/ada/project/claude.md',
    '/home/ada/bin/goose', // also a tool for databases
    '/usr/bin/kilo', // also a small editor
  ])('%s shows nobody', (file) => {
    expect(traceOf(file, 'linux')).toBeUndefined();
  });

  it('counts a name for a program of its own, and not for a script that merely has it', () => {
    expect(traceOf('/home/ada/bin/claude', 'linux', true)).toBeUndefined();
    expect(traceOf('/home/ada/bin/claude', 'linux')).toEqual({ agent: 'claude-code', evidence: 'name' });
  });

  it('reads Windows as Windows does', () => {
    const npm = String.raw`C:\Users\Ada\AppData\Roaming\npm\node_modules\@Anthropic-AI\Claude-Code\cli.js`;
    expect(traceOf(npm, 'windows')).toEqual({ agent: 'claude-code', evidence: 'package' });
    expect(traceOf(String.raw`C:\Users\Ada\bin\CODEX.EXE`, 'windows')).toEqual({ agent: 'codex', evidence: 'name' });
  });

  it('knows modules and extensions by their own names', () => {
    expect(traceOfModule('aider.main')).toEqual({ agent: 'aider', evidence: 'package' });
    expect([traceOfModule('http.server'), traceOfModule('')]).toEqual([undefined, undefined]);
    expect(agentOfExtension('GitHub.copilot-1.2.3')).toBe('copilot-vscode');
    expect(agentOfExtension('github.copilot-labs-0.1.0')).toBeUndefined();
  });

  it('never says another agent than what recognises launches, which is stricter', () => {
    const files = PROFILES.flatMap(({ packages = [], executables = [] }) => [
      ...packages.map(({ ecosystem, name, module }) =>
        ecosystem === 'npm' ? `node_modules/${name}/x.js` : `site-packages/${module ?? name}/x.py`,
      ),
      ...executables.flatMap(({ names }) => names.map((name) => `bin/${name}`)),
    ]);
    fc.assert(
      fc.property(fc.constantFrom(...files), fc.constantFrom('/usr/', '/opt/a/', '/home/ada/'), (file, folder) => {
        const trace = traceOf(folder + file, 'linux');
        const { id, proof } = recognise({ file: folder + file, userWritable: false });
        if (trace !== undefined) expect(id).toBe(trace.agent);
        if (proof === 'proven') expect(trace?.agent).toBe(id);
      }),
      { numRuns: LAW_RUNS },
    );
  });
});
