import { describe, expect, it } from 'vitest';
import { applied, documentOf, prepareAll } from './_small-world.ts';
import type { OperatingSystem, PathVariables, Subject } from './effective.ts';
import { resolve } from './resolve.ts';

const variables = (workspace: string | undefined, home = '/home/u'): PathVariables => ({
  home,
  workspace,
  tmp: '/tmp',
  tools: [],
  agent: [],
});
const subject = (os: OperatingSystem): Subject => ({ agent: { id: 'x', proof: 'proven' }, user: 'u', os });
const workspaceOf = (
  place: string | undefined,
  spec: Parameters<typeof documentOf>[1] = {},
  os: OperatingSystem = 'linux',
  home?: string,
) =>
  resolve({
    policies: prepareAll([applied(1, documentOf('p', { allow: { filesystem: { write: ['${workspace}'] } }, ...spec }))]),
    floor: undefined,
    subject: subject(os),
    variables: variables(place, home),
  });

describe('a workspace', () => {
  it.each(['/home/u/project', '/srv/project', '/home/u/.config/myapp', '/var/tmp/x', '/srv/app.git', '/srv/.github', '/tmp/x'])(
    'may be %s',
    (place) => expect(workspaceOf(place).workspace.allowed).toBe(true),
  );

  it.each([
    '/home/u',
    '/home',
    '/',
    '/etc/x',
    '/usr/bin',
    '/usr',
    '/tmp',
    '/home/u/.ssh',
    '/home/u/.aws/x',
    '/home/u/.config',
    '/home/u/.cargo',
    '/run/user/1000',
    '/var/lib/cordon/x',
    '/sys/fs',
    '/usr/local',
    '/srv/app/.git',
    '/srv/app/.git/hooks',
  ])('is never %s', (place) => {
    const effective = workspaceOf(place);
    expect(effective.workspace.allowed).toBe(false);
    expect(effective.paths.some(({ effect, origin }) => effect === 'allow' && origin.source === 'policy')).toBe(false);
  });

  it('is never a home or a system folder on macOS and Windows, whatever its case', () => {
    expect(workspaceOf('/users/U', {}, 'macos', '/Users/u').workspace.allowed).toBe(false);
    expect(workspaceOf('C:\\USERS\\u', {}, 'windows', 'C:\\Users\\u').workspace.allowed).toBe(false);
    expect(workspaceOf('c:\\windows\\Temp', {}, 'windows', 'C:\\Users\\u').workspace.allowed).toBe(false);
    expect(workspaceOf('C:\\Users\\u\\src', {}, 'windows', 'C:\\Users\\u').workspace.allowed).toBe(true);
  });

  it('lies where limits permit it and denies do not forbid it, and the refusal names the rule', () => {
    expect(workspaceOf('/home/u/src/a', { limit: { workspaces: ['${home}/src'] } }).workspace.allowed).toBe(true);
    expect(workspaceOf('/srv/a', { limit: { workspaces: ['${home}/src'] } }).workspace.why).toMatch(
      /rule r_[0-9a-f]{12} of p permits workspaces only in \/home\/u\/src/,
    );
    expect(workspaceOf('/home/u/src/secret/x', { deny: { workspaces: ['${home}/src/secret'] } }).workspace.why).toMatch(
      /of p forbids workspaces in/,
    );
    expect(workspaceOf('/srv/a', { limit: { workspaces: [] } }).workspace.why).toContain('no place');
  });
});
