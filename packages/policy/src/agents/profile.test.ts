import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { LAW_RUNS } from '../_laws.ts';
import { agentFolders, recognise } from './profile.ts';
import { PROFILES } from './profiles.ts';

const seenAs = (file: string, os?: 'linux' | 'macos' | 'windows') => recognise({ file, userWritable: false }, os);
const CLAUDE = '/usr/lib/node_modules/@anthropic-ai/claude-code/bin/claude.exe';

describe('recognise', () => {
  it.each([
    [CLAUDE, 'claude-code'],
    ['/usr/lib/node_modules/@anthropic-ai/claude-code/node_modules/@anthropic-ai/claude-code-linux-x64/claude', 'claude-code'],
    ['/usr/local/lib/node_modules/@openai/codex/bin/codex.js', 'codex'],
    ['/opt/node/lib/node_modules/@google/gemini-cli/dist/index.js', 'gemini-cli'],
    ['/usr/lib/node_modules/opencode-ai/bin/opencode', 'opencode'],
    ['/usr/lib/node_modules/.pnpm/openclaw@2026.9.6/node_modules/openclaw/openclaw.mjs', 'openclaw'],
    ['/usr/lib/python3/dist-packages/aider/main.py', 'aider'],
    ['/opt/venv/lib/python3.14/site-packages/hermes_cli/main.py', 'hermes'],
    ['/opt/venv/lib/python3.12/site-packages/browser_use/skill_cli/main.py', 'browser-use'],
    ['/usr/bin/ollama', 'ollama'],
    ['/usr/local/bin/claude', 'claude-code'],
    ['/usr/local/bin/zeroclaw', 'zeroclaw'],
  ])('proves %s, which only an administrator can change, to be %s', (file, id) => {
    expect(seenAs(file)).toEqual({ id, proof: 'proven' });
  });

  it('proves a package tree on macOS and on Windows too', () => {
    expect(seenAs('/usr/local/lib/node_modules/@openai/codex/bin/codex.js', 'macos')).toEqual({ id: 'codex', proof: 'proven' });
    expect(seenAs('C:\\Program Files\\nodejs\\node_modules\\@OpenAI\\Codex\\bin\\codex.js', 'windows')).toEqual({
      id: 'codex',
      proof: 'proven',
    });
  });

  it('takes a package in a workspace, which its user can change, for a claim', () => {
    const file = '/home/ada/shop/node_modules/@anthropic-ai/claude-code/cli.js';
    expect(recognise({ file, userWritable: true })).toEqual({ id: 'claude-code', proof: 'claimed' });
    expect(recognise({ file, userWritable: true, claimed: 'claude-code' })).toEqual({ id: 'claude-code', proof: 'claimed' });
  });

  it.each([
    '/opt/@anthropic-ai/claude-code/cli.js',
    '/opt/app/node_modules/@anthropic-ai/claude-code-evil/cli.js',
    '/opt/app/node_modules/@anthropic-ai/claude-codex/cli.js',
    '/opt/app/node_modules/evil-@anthropic-ai/claude-code/cli.js',
    '/opt/app/not_node_modules/@anthropic-ai/claude-code/cli.js',
    '/opt/app/node_modules/@anthropic-ai/other/claude-code/cli.js',
    '/opt/app/site-packages-old/aider/main.py',
    '/opt/app/site-packages/aider_evil/main.py',
    '/opt/app/site-packages/aider.py',
    '/opt/claude-code/run',
    '/opt/app/node_modules/opencode-ai',
    '/opt/app/node_modules/@anthropic-ai/claude-code',
  ])('knows nothing of %s, which merely holds the name', (file) => {
    expect(seenAs(file)).toEqual({ id: 'unknown', proof: 'claimed' });
  });

  it('is not misled by a dependency inside an agent: the innermost package counts', () => {
    expect(seenAs('/usr/lib/node_modules/@anthropic-ai/claude-code/node_modules/ripgrep/bin/rg')).toEqual({
      id: 'unknown',
      proof: 'claimed',
    });
    expect(seenAs('/usr/lib/node_modules/openclaw/node_modules/@openai/codex/bin/codex.js')).toEqual({ id: 'codex', proof: 'proven' });
  });

  it('takes a name outside the system folders for a claim', () => {
    for (const file of ['/opt/tools/claude', '/srv/bin/ollama', '/home/bob/bin/codex', '/usr/bin/sub/claude', '/usr/share/claude'])
      expect(seenAs(file).proof).toBe('claimed');
    expect(seenAs('C:\\Program Files\\Anything\\claude.exe', 'windows')).toEqual({ id: 'claude-code', proof: 'claimed' });
    expect(seenAs('claude')).toEqual({ id: 'claude-code', proof: 'claimed' });
  });

  it('takes a name that another program has too for a claim, even in a system folder', () => {
    for (const name of ['goose', 'copilot', 'hermes', 'q', 'zed', 'amp', 'pi', 'cn', 'kilo'])
      expect(seenAs(`/usr/bin/${name}`).proof).toBe('claimed');
    expect(seenAs('/usr/bin/goose').id).toBe('goose');
  });

  it('takes what nobody has verified for a claim', () => {
    expect(seenAs('/usr/bin/devin')).toEqual({ id: 'devin', proof: 'claimed' });
    expect(seenAs('/usr/lib/node_modules/moltbot/index.js')).toEqual({ id: 'openclaw', proof: 'claimed' });
  });

  it('never takes an interpreter for proof, not even one in an agent’s own tree', () => {
    for (const name of ['node', 'python3.14', 'bash', 'bun', 'env'])
      expect(seenAs(`/usr/lib/node_modules/@anthropic-ai/claude-code/vendor/${name}`)).toEqual({ id: 'claude-code', proof: 'claimed' });
    expect(seenAs('/usr/bin/node')).toEqual({ id: 'unknown', proof: 'claimed' });
    expect(recognise({ file: '/usr/bin/node', userWritable: false, claimed: 'codex' })).toEqual({ id: 'codex', proof: 'claimed' });
    expect(seenAs('C:\\Program Files\\nodejs\\node_modules\\@openai\\codex\\vendor\\NODE.EXE', 'windows').proof).toBe('claimed');
  });

  it('takes a claim that contradicts what is seen for no more than a claim', () => {
    expect(recognise({ file: CLAUDE, userWritable: false, claimed: 'codex' })).toEqual({ id: 'codex', proof: 'claimed' });
    expect(recognise({ file: CLAUDE, userWritable: false, claimed: 'claude-code' })).toEqual({ id: 'claude-code', proof: 'proven' });
  });

  it('law: what the user can change is never proven, wherever it lies and whatever is claimed', () => {
    const folder = fc.constantFrom('/usr/bin', '/usr/local/bin', '/home/ada/shop', '/opt/a');
    const inside = fc.constantFrom(
      'node_modules/@anthropic-ai/claude-code/cli.js',
      'node_modules/opencode-ai/bin/opencode',
      'site-packages/aider/main.py',
      'claude',
      'ollama',
    );
    const claim = fc.option(fc.constantFrom('claude-code', 'aider', 'ollama', 'other'), { nil: undefined });
    fc.assert(
      fc.property(folder, inside, claim, (at, file, claimed) => {
        expect(recognise({ file: `${at}/${file}`, userWritable: true, claimed }).proof).toBe('claimed');
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('law: every verified package and unambiguous name of every profile proves its own agent', () => {
    for (const { id, packages = [], executables = [] } of PROFILES) {
      for (const { ecosystem, name, module, verified } of packages) {
        const tree = ecosystem === 'npm' ? `node_modules/${name}` : `site-packages/${module ?? ''}`;
        if (verified && (ecosystem === 'npm' || module !== undefined))
          expect(seenAs(`/usr/lib/${tree}/start`)).toEqual({ id, proof: 'proven' });
      }
      for (const { os, names, alsoNamed, verified } of executables)
        if (verified && alsoNamed === undefined && os.some((system) => system === 'linux'))
          for (const name of names) expect(seenAs(`/usr/bin/${name}`)).toEqual({ id, proof: 'proven' });
    }
  });
});

describe('agentFolders', () => {
  it('gives the places of the agent on the system, none inside another', () => {
    expect(agentFolders('codex', '/home/ada')).toEqual(['/home/ada/.codex']);
    expect(agentFolders('opencode', '/home/ada')).toEqual(
      expect.arrayContaining(['/home/ada/.config/opencode', '/home/ada/.local/share/opencode']),
    );
    expect(agentFolders('claude-code', '/home/ada')).toEqual(expect.arrayContaining(['/home/ada/.claude', '/home/ada/.claude.json']));
    expect(agentFolders('claude-desktop', '/Users/ada', 'macos')).toContain('/Users/ada/Library/Application Support/Claude');
    expect(agentFolders('goose', 'C:\\Users\\Ada', 'windows')).toEqual(['C:\\Users\\Ada\\AppData\\Roaming\\Block\\goose']);
  });

  it('gives nothing to an agent without a profile, and nothing of another system', () => {
    expect(agentFolders('unknown', '/home/ada')).toEqual([]);
    expect(agentFolders('claude-desktop', '/home/ada')).toEqual([]);
  });

  it('refuses a home that is no absolute path', () => {
    expect(() => agentFolders('codex', 'ada')).toThrow(expect.objectContaining({ code: 'path.invalid' }));
  });
});
