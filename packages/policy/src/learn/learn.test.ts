import { describe, expect, it } from 'vitest';
import type { PathVariables } from '../effective.ts';
import type { RecordedAccess } from '../simulate/recorded.ts';
import { learn } from './learn.ts';
import type { LearnOptions, Proposal } from './proposal.ts';

const variablesFor = ({ osUser }: { osUser: string }): PathVariables => ({
  home: `/home/${osUser}`,
  workspace: `/home/${osUser}/src/app`,
  tmp: '/tmp',
  tools: ['/opt/tools'],
  agent: [`/home/${osUser}/.agent`],
});
const who = (device: number) => ({ device: `d${device}`, agent: 'claude-code', osUser: `user${device}`, os: 'linux' as const });
const egress = (device: number, host: string, port = 443, code?: string): RecordedAccess => ({
  kind: 'egress',
  ...who(device),
  host,
  port,
  verdict: 'denied',
  ...(code !== undefined && { code }),
});
const file = (device: number, path: string, access: 'read' | 'write' = 'read'): RecordedAccess => ({
  kind: 'file',
  ...who(device),
  path: path.replace('~', `/home/user${device}`),
  access,
});
const on = (devices: readonly number[], event: (device: number) => RecordedAccess): RecordedAccess[] => devices.map(event);
const learned = (events: readonly RecordedAccess[], options: Partial<LearnOptions> = {}): Proposal =>
  learn(events, { name: 'learned', minDevices: 2, minSiblings: 3, minSubdomains: 3, variablesFor, ...options });
const rules = (events: readonly RecordedAccess[], options: Partial<LearnOptions> = {}): readonly string[] =>
  learned(events, options).rules.map(({ section, rule, support, devices }) => `${section} ${JSON.stringify(rule)} ${support}/${devices}`);
const withheld = (events: readonly RecordedAccess[], options: Partial<LearnOptions> = {}): unknown =>
  Object.fromEntries(learned(events, options).withheld.map(({ reason, count }) => [reason, count]));

describe('what is learned of the network', () => {
  it('is exact names and ports', () => {
    expect(
      rules([...on([1, 2, 3], (d) => egress(d, 'api.example.com')), ...on([1, 2], (d) => egress(d, 'api.example.com', 8443))]),
    ).toEqual(['network.hosts {"host":"api.example.com","ports":[443,8443]} 5/3']);
  });

  it('is a pattern where many names below one registrable domain were used, at the ports where they were', () => {
    const names = ['a', 'b', 'c'].flatMap((name) => on([1, 2], (d) => egress(d, `${name}.example.co.uk`)));
    expect(
      rules([...names, ...on([1, 2], (d) => egress(d, 'a.example.co.uk', 22)), ...on([1, 2], (d) => egress(d, 'example.co.uk'))]),
    ).toEqual([
      'network.hosts {"host":"*.example.co.uk","ports":[443]} 6/2',
      'network.hosts {"host":"a.example.co.uk","ports":[22]} 2/2',
      'network.hosts {"host":"example.co.uk","ports":[443]} 2/2',
    ]);
  });

  it('is never a pattern below a public suffix, nor around one', () => {
    const pages = ['x', 'y', 'z'].flatMap((name) => on([1, 2], (d) => egress(d, `${name}.github.io`)));
    expect(rules(pages)).toHaveLength(3);
    const cloud = ['sts', 'ec2', 'iam', 'bucket.s3'].flatMap((name) => on([1, 2], (d) => egress(d, `${name}.amazonaws.com`)));
    expect(rules(cloud).filter((rule) => rule.includes('*'))).toEqual([]);
  });

  it('is a private host only where asked, exactly and as one', () => {
    const events = [
      ...on([1, 2], (d) => egress(d, '10.1.2.3')),
      ...on([1, 2], (d) => egress(d, 'build.internal')),
      ...on([1, 2], (d) => egress(d, 'git.example.com', 443, 'egress.private')),
    ];
    expect(rules(events)).toEqual([]);
    expect(withheld(events)).toEqual({ 'private-host': 6 });
    expect(rules(events, { privateHosts: true })).toEqual([
      'network.hosts {"host":"10.1.2.3","ports":[443],"private":true} 2/2',
      'network.hosts {"host":"build.internal","ports":[443],"private":true} 2/2',
      'network.hosts {"host":"git.example.com","ports":[443],"private":true} 2/2',
    ]);
  });

  it('is nothing that few devices did, nor of agents that were only claimed or are others', () => {
    const events: RecordedAccess[] = [
      ...on([1], (d) => egress(d, 'secret-project.example.com')),
      ...on([1, 2], (d): RecordedAccess => ({ ...egress(d, 'made-up.example.com'), proof: 'claimed' })),
      ...on([1, 2], (d): RecordedAccess => ({ ...egress(d, 'other.example.com'), agent: 'codex' })),
      ...on([1, 2], (d) => egress(d, 'not a host')),
    ];
    const proposal = learned(events, { agents: ['claude-code'] });
    expect(proposal.rules).toEqual([]);
    expect(JSON.stringify(proposal)).not.toMatch(/secret-project|made-up|other\.example/);
    expect(withheld(events, { agents: ['claude-code'] })).toEqual({
      'not-proven': 2,
      'not-understood': 2,
      'other-agent': 2,
      'too-few-devices': 1,
    });
  });
});

describe('what is learned of files', () => {
  it('is said with variables, and writing includes reading', () => {
    expect(
      rules([
        ...on([1, 2], (d) => file(d, '~/.gitconfig')),
        ...on([1, 2], (d) => file(d, '~/src/app/out.txt', 'write')),
        ...on([1, 2], (d) => file(d, '~/src/app/out.txt')),
        ...on([1, 2], (d) => file(d, '/opt/tools/bin/x')),
        ...on([1, 2], (d) => file(d, '~/.agent/state')),
      ]),
    ).toEqual([
      'filesystem.read "${agent}/state" 2/2',
      'filesystem.read "${home}/.gitconfig" 2/2',
      'filesystem.read "${tools}/bin/x" 2/2',
      'filesystem.write "${workspace}/out.txt" 4/2',
    ]);
  });

  it('is the folder where many names were used, up to the whole workspace', () => {
    const names = ['a', 'b', 'c'];
    expect(rules(names.flatMap((name, i) => on([i, i + 1], (d) => file(d, `~/src/app/${name}/x`, 'write'))))).toEqual([
      'filesystem.write "${workspace}" 6/4',
    ]);
    expect(rules(names.flatMap((name) => on([1, 2], (d) => file(d, `/srv/data/${name}`))))).toEqual(['filesystem.read "/srv/data" 6/2']);
    expect(rules(names.flatMap((name) => on([1, 2], (d) => file(d, `~/notes/${name}`))))).toEqual(['filesystem.read "${home}/notes" 6/2']);
  });

  it('is never a home, what holds one, a top-level folder, or a folder with something that is never granted', () => {
    const wide = (folder: string) => ['a', 'b', 'c'].flatMap((name) => on([1, 2], (d) => file(d, `${folder}/${name}`)));
    for (const folder of ['~', '/srv', '~/.config']) expect(rules(wide(folder)).map((rule) => rule.includes('/b"'))).toContain(true);
    expect(rules([...wide('~'), ...wide('/srv'), ...wide('~/.config')])).toHaveLength(9);
    const roots = [
      ...on([1, 2], (d) => file(d, '~')),
      ...on([1, 2], (d) => file(d, '/home')),
      ...on([1, 2], (d) => file(d, '/home/somebody')),
      ...on([1, 2], (d) => file(d, '/srv')),
      ...on([1, 2], (d) => file(d, '~/.config')),
      ...on([1, 2], (d) => file(d, '/')),
    ];
    expect(rules(roots)).toEqual([]);
    expect(withheld(roots)).toEqual({ 'too-wide': 12 });
    // A copy of keys keeps the folder around it from being proposed.
    expect(rules([...wide('~/backup'), ...on([1, 2], (d) => file(d, '~/backup/.ssh/id_ed25519'))])).toHaveLength(3);
  });

  it('is nothing that is never granted or written, nor what the system has, and says so', () => {
    const events = [
      ...on([1, 2], (d) => file(d, '~/.ssh/id_ed25519')),
      ...on([1, 2], (d) => file(d, '/run/docker.sock', 'write')),
      ...on([1, 2], (d) => file(d, '/home/somebody/.aws/credentials')),
      ...on([1, 2], (d) => file(d, '~/.bashrc', 'write')),
      ...on([1, 2], (d) => file(d, '~/src/app/.git/hooks/pre-commit', 'write')),
      ...on([1, 2], (d) => file(d, '/boot/grub', 'write')),
      ...on([1, 2], (d) => file(d, '~/what?')),
      ...on([1, 2], (d) => file(d, '/tmp/x', 'write')),
      ...on([1, 2], (d) => file(d, '/usr/lib/x.so')),
    ];
    expect(rules(events)).toEqual([]);
    expect(withheld(events)).toEqual({ 'never-granted': 6, 'never-written': 4, 'not-expressible': 2, 'system-place': 2 });
  });

  it('is read-only where too few devices wrote', () => {
    const events = [...on([1, 2], (d) => file(d, '/srv/data/x')), ...on([1], (d) => file(d, '/srv/data/x', 'write'))];
    expect(rules(events)).toEqual(['filesystem.read "/srv/data/x" 2/2']);
    expect(withheld(events)).toEqual({ 'too-few-devices': 1 });
  });

  it('is nothing where nobody knows what home was', () => {
    const events = on([1, 2], (d) => file(d, '~/x'));
    expect(withheld(events, { variablesFor: () => undefined })).toEqual({ 'without-variables': 2 });
  });
});

describe('a proposal', () => {
  it('says on how many devices network and files were recorded', () => {
    const { coverage, document } = learned([...on([1, 2, 3], (d) => egress(d, 'api.example.com')), ...on([1, 2], (d) => file(d, '~/x'))]);
    expect(coverage).toMatchObject({ devices: 3, network: { attempts: 3, devices: 3 }, files: { attempts: 2, devices: 2 } });
    expect(coverage.says).toBe(
      'Learned. Network: 3 attempts recorded on 3 of 3 devices. Files: 2 attempts recorded on 2 of 3 devices; what the others use may be missing.',
    );
    expect(document.metadata.description).toBe(coverage.says);
    expect(learned([egress(1, 'a.com')]).coverage.says).toMatch(/Files: not recorded, so nothing of it is in here\.$/);
  });

  it('is for the agents and systems that were seen', () => {
    const { document } = learned(
      on([1, 2], (d) => egress(d, 'api.example.com')),
      { agents: ['claude-code'] },
    );
    expect(document.spec).toEqual({
      match: { agents: ['claude-code'], os: ['linux'] },
      allow: { network: { hosts: [{ host: 'api.example.com', ports: [443] }] } },
    });
  });

  it('holds no more than one policy may, the best supported, and counts the rest', () => {
    const many = Array.from({ length: 2500 }, (_, i) => on(i < 100 ? [1, 2, 3] : [1, 2], (d) => egress(d, `h${i}.d${i}.com`))).flat();
    const { document, rules: kept, withheld: rest } = learned(many);
    const hosts = document.spec.allow?.network?.hosts ?? [];
    expect(hosts).toHaveLength(1900);
    expect(kept.filter(({ devices }) => devices === 3)).toHaveLength(100);
    expect(rest).toEqual([{ reason: 'too-many', count: 1200 }]);
  });

  it('is empty for nothing', () => {
    expect(learned([])).toMatchObject({ rules: [], withheld: [], coverage: { devices: 0 }, document: { spec: { allow: {} } } });
  });
});
