import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { agentFolders } from './agents/profile.ts';
import { PROFILES } from './agents/profiles.ts';
import type { AgentProfile } from './agents/schema.ts';
import { createDecider, type Decider } from './decide/decider.ts';
import { parsePolicy } from './document/parse.ts';
import { prepareFloor, preparePolicy } from './document/prepare.ts';
import type { PolicyDocument } from './document/schema.ts';
import type { OperatingSystem, PathVariables, Subject } from './effective.ts';
import { resolve, resolveAudit } from './resolve.ts';

const folder = path.join(import.meta.dirname, '../starter');
const read = (name: string): PolicyDocument => parsePolicy(fs.readFileSync(path.join(folder, `${name}.yaml`), 'utf8')).document;
const NAMES = ['floor', 'observe', 'coding-agents', 'browsing-assistants', 'build-machines'];
const floor = prepareFloor(read('floor'), 1);
const prepared = (document: PolicyDocument) =>
  preparePolicy({ policy: `pol_${document.metadata.name}`, name: document.metadata.name, revision: 1, document, because: [] });
const profiles: readonly AgentProfile[] = PROFILES;

const variablesFor = (agent: string, os: OperatingSystem): PathVariables =>
  os === 'windows'
    ? {
        home: 'C:\\Users\\u',
        workspace: 'C:\\Users\\u\\src\\p',
        tmp: 'C:\\T',
        tools: ['C:\\Tools'],
        agent: agentFolders(agent, 'C:\\Users\\u', os),
      }
    : {
        home: '/home/u',
        workspace: '/home/u/src/p',
        tmp: '/tmp',
        tools: ['/opt', '/usr/local'],
        agent: agentFolders(agent, '/home/u', os),
      };
const under = (
  names: readonly string[],
  agent: string,
  { os = 'linux', user = 'u', proof = 'proven' }: Partial<Subject> & { readonly proof?: 'proven' | 'claimed' } = {},
): Decider =>
  createDecider(
    resolve({
      policies: names.map((name) => prepared(read(name))),
      floor,
      subject: { agent: { id: agent, proof }, user, os },
      variables: variablesFor(agent, os),
    }),
  );

describe('the starter policies', () => {
  it('are all that lie in the folder, each named as its file, and all valid', () => {
    expect(
      fs
        .readdirSync(folder)
        .filter((file) => file.endsWith('.yaml'))
        .sort(),
    ).toEqual(NAMES.map((name) => `${name}.yaml`).sort());
    for (const name of NAMES) expect(read(name).metadata.name).toBe(name);
  });

  it('name agents that there are profiles of', () => {
    const known = new Set(['*', ...profiles.map(({ id }) => id)]);
    for (const name of NAMES) for (const agent of read(name).spec.match?.agents ?? []) expect(known).toContain(agent);
  });

  it.each(['coding-agents', 'browsing-assistants'])(
    '%s gives each agent that it names the hosts that its profile requires, and its own folders',
    (name) => {
      for (const id of read(name).spec.match?.agents ?? []) {
        const profile = profiles.find((candidate) => candidate.id === id);
        const decider = under([name], id);
        const needed = (profile?.hosts ?? []).filter(({ need }) => need === 'required').flatMap(({ hosts }) => [...hosts]);
        const missing = needed.filter((host) => decider.host(host.replace(/^\*/, 'any'), 443).verdict === 'denied');
        expect({ id, missing }).toEqual({ id, missing: [] });
        for (const place of agentFolders(id, '/home/u'))
          if (!place.startsWith('/home/u/.aws'))
            expect({ place, verdict: decider.path(`${place}/x`, 'read').verdict }).toEqual({ place, verdict: 'allowed' });
      }
    },
  );

  it('never give credentials, the settings that start programs, or places made for leaving things behind', () => {
    for (const name of NAMES.filter((other) => other !== 'floor')) {
      const agent = read(name).spec.match?.agents?.[0] ?? 'x';
      const decider = under([name], agent === '*' ? 'x' : agent, { user: name === 'build-machines' ? 'runner' : 'u' });
      for (const place of [
        '.ssh/id_ed25519',
        '.aws/credentials',
        '.config/gh/hosts.yml',
        '.netrc',
        '.docker/config.json',
        '.local/state/cordon/device-key',
      ])
        expect(decider.path(`/home/u/${place}`, 'read').verdict).toBe('denied');
      for (const place of [
        '.bashrc',
        '.gitconfig',
        '.config/autostart/x.desktop',
        'src/p/.git/hooks/pre-commit',
        'src/p/.vscode/tasks.json',
      ])
        expect(decider.path(`/home/u/${place}`, 'write').verdict).toBe('denied');
      for (const address of ['169.254.169.254', '168.63.129.16', '100.100.100.200'])
        expect(decider.host(address, 80).verdict).toBe('denied');
      expect(decider.right('ui.input-injection').verdict).toBe('denied');
      expect(decider.right('network.ingress').verdict).toBe('denied');
    }
    for (const host of ['pastebin.com', 'x.ngrok.io', 'webhook.site', 'example.com'])
      expect(under(['coding-agents'], 'codex').host(host, 443).verdict).toBe('denied');
  });

  it('coding agents write in their project and nowhere else, on every system', () => {
    for (const os of ['linux', 'macos', 'windows'] as const) {
      const decider = under(['coding-agents'], 'claude-code', { os });
      const at = (place: string): string => (os === 'windows' ? `C:\\Users\\u\\${place.replaceAll('/', '\\')}` : `/home/u/${place}`);
      expect(decider.path(at('src/p/main.ts'), 'write').verdict).toBe('allowed');
      for (const place of ['src/other/x', 'Documents/x', 'x']) expect(decider.path(at(place), 'write').verdict).toBe('denied');
      for (const place of ['src/p/.env', 'Documents/letter.odt']) expect(decider.path(at(place), 'read').verdict).toBe('denied');
    }
  });

  it('coding agents are nobody who merely says so', () => {
    expect(under(['coding-agents'], 'claude-code', { proof: 'claimed' }).effective.refused?.code).toBe('launch.no-policy');
  });

  it('observe breaks nothing that people do, and reports what the strict policies would have denied', () => {
    const decider = under(['observe'], 'anything', { proof: 'claimed' });
    for (const place of ['src/p/x', 'Documents/x', 'notes.txt']) expect(decider.path(`/home/u/${place}`, 'write').verdict).toBe('allowed');
    for (const host of ['example.com', 'pastebin.com']) expect(decider.host(host, 443).verdict).toBe('allowed');
    const strict = read('coding-agents');
    const policies = [prepared(read('observe')), prepared({ ...strict, spec: { ...strict.spec, mode: 'audit' } })];
    const input = {
      policies,
      floor,
      subject: { agent: { id: 'codex', proof: 'proven' }, user: 'u', os: 'linux' } as const,
      variables: variablesFor('codex', 'linux'),
    };
    expect(createDecider(resolve(input)).host('pastebin.com', 443).verdict).toBe('allowed');
    const audit = resolveAudit(input);
    expect(audit && createDecider(audit).host('pastebin.com', 443)).toMatchObject({ verdict: 'denied', rule: { policy: 'coding-agents' } });
  });

  it('build machines are for build accounts on Linux only', () => {
    expect(under(['build-machines'], 'codex', { user: 'runner' }).host('github.com', 22).verdict).toBe('allowed');
    expect(under(['build-machines'], 'codex', { user: 'u' }).effective.refused?.code).toBe('launch.no-policy');
    expect(under(['build-machines'], 'codex', { user: 'runner', os: 'macos' }).effective.refused?.code).toBe('launch.no-policy');
    expect(under(['build-machines'], 'codex', { user: 'runner' }).effective.settings).toMatchObject({
      onExpiry: 'stop',
      uncontained: 'stop',
      graceMs: 0,
    });
  });
});
