import { describe, expect, it } from 'vitest';
import { membersDigest, targetDigest, type ApprovalPayload, type Target } from '@cordon/policy/approval/approval.ts';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import { documentDigest } from '@cordon/policy/trust/bundle.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { reviewOf } from './review.ts';
import type { ProposalDetail } from './wire.ts';
import { reviewLines } from './words.ts';

const allowing = (...hosts: readonly string[]): PolicyDocument =>
  parsePolicy(
    `apiVersion: cordon/v1\nkind: ContainmentPolicy\nmetadata: { name: agents }\nspec:\n  allow: { network: { hosts: [${hosts.map((host) => `{ host: ${host} }`).join(', ')}] } }\n`,
  ).document;
const [narrow, wide] = [allowing('a.example.com'), allowing('a.example.com', 'paste.example.com')];

const targetOf = (document: PolicyDocument, devices: readonly string[]): Target => ({
  format: 'cordon-target/1',
  policies: [{ policy: 'pol_1', revision: 1, digest: documentDigest(document) }],
  assignments: [{ assignment: 'asg_1', policy: 'pol_1', group: 'grp_servers', mode: 'include' }],
  groups: [{ group: 'grp_servers', members: { kind: 'listed', count: devices.length, digest: membersDigest(devices) } }],
});
const [before, after] = [targetOf(narrow, ['dev_1']), targetOf(wide, ['dev_1', 'dev_2'])];
const payload: ApprovalPayload = {
  format: 'cordon-approval/1',
  org: 'org_1',
  epoch: 0,
  from: { digest: targetDigest(before), serial: 3 },
  to: targetDigest(after),
  issuedAt: '2026-06-01T00:00:00.000Z',
  expiresAt: '2026-06-08T00:00:00.000Z',
  wayBackUntil: '2026-06-03T00:00:00.000Z',
};
const detail: ProposalDetail = {
  id: 'prp_1',
  title: 'Paste \u001b[2J',
  state: 'open',
  signatures: [],
  threshold: 2,
  createdBy: 'token:tok_1',
  createdAt: '2026-06-01T00:00:00.000Z',
  expiresAt: '2026-06-08T00:00:00.000Z',
  payload: canonicalJson(payload),
  before: { target: before, lists: { grp_servers: ['dev_1'] } },
  after: { target: after, lists: { grp_servers: ['dev_1', 'dev_2'] } },
  documents: [narrow, wide].map((document) => ({ digest: documentDigest(document), document })),
  names: { policies: { pol_1: 'agents' }, groups: { grp_servers: 'servers' } },
  devices: 2,
};
const NOW = new Date('2026-06-02T00:00:00.000Z');
const changed = (change: Partial<ProposalDetail>): ProposalDetail => ({ ...detail, ...change });

describe('what an approver is told', () => {
  const lines = reviewLines(detail, reviewOf(detail, NOW));
  const text = lines.join('\n');

  it('is who gains what, for each kind of device', () => {
    expect(text).toContain('1 device that "servers" (grp_servers) lists\n');
    expect(text).toMatch(/1 device that "servers" \(grp_servers\) lists, that nothing listed before/);
    expect(text).toMatch(/GAIN power, for example agent/);
    expect(text).toMatch(/\+ network\.host +paste\.example\.com:443 +allow-added/);
    expect(text).toMatch(/\+ launch/);
  });

  it('is who is new in a group, and how long what was before may come back', () => {
    expect(text).toContain('listed: exactly 2 devices');
    expect(lines).toContain('    + dev_2');
    expect(text).toContain('may come back without another approval until 2026-06-03T00:00:00.000Z');
    expect(text).toContain('0 of 2 signed');
  });

  it('says so when it only takes away', () => {
    const back = { ...payload, from: { digest: targetDigest(after), serial: 4 }, to: targetDigest(before) };
    const taken = changed({
      payload: canonicalJson(back),
      before: detail.after,
      after: { target: before, lists: { grp_servers: ['dev_1'] } },
    });
    const said = reviewLines(taken, reviewOf(taken, NOW)).join('\n');
    expect(said).toContain('can only lose power by it');
    expect(said).toContain('nothing launches on them any more');
    expect(said).not.toContain('GAIN');
    expect(said).toContain('    - dev_2');
  });
});

describe('an exception', () => {
  it('is told with its end, for whom it is, and the rule that it suspends', () => {
    const exceptions: NonNullable<Target['exceptions']> = [
      {
        id: 'exc_1',
        name: 'release',
        group: 'grp_servers',
        expiresAt: '2026-06-02T08:00:00.000Z',
        change: { kind: 'allow', allow: { network: { hosts: [{ host: 'b.example.com' }] } } },
      },
      {
        id: 'exc_2',
        name: 'gone',
        group: 'grp_servers',
        expiresAt: '2026-06-02T08:00:00.000Z',
        change: { kind: 'suspend', policy: 'pol_1', revision: 9, rule: 'r_000000000000' },
      },
    ];
    const target = { ...after, exceptions };
    const to = targetDigest(target);
    const shown = changed({ payload: canonicalJson({ ...payload, to }), after: { ...detail.after, target } });
    const lines = reviewLines(shown, reviewOf(shown, NOW));
    expect(lines).toContain(
      '  + "release" (exc_1) for "servers" (grp_servers) until 2026-06-02T08:00:00.000Z: allows {"network":{"hosts":[{"host":"b.example.com"}]}}',
    );
    expect(lines.find((line) => line.includes('exc_2'))).toContain(
      'suspends rule r_000000000000 of pol_1 revision 9, which is not in force',
    );
    expect(lines.join('\n')).toMatch(/\+ network\.host +b\.example\.com/);
    // Once it has ended it gives nothing, and what it would give is not told as gained.
    expect(reviewLines(shown, reviewOf(shown, new Date('2026-06-02T08:00:00.000Z'))).join('\n')).not.toMatch(
      /\+ network\.host +b\.example\.com/,
    );
    // One that is changed on the way is not the one that is signed.
    const forged = changed({ payload: shown.payload, after: { ...shown.after, target: { ...target, exceptions: exceptions.slice(1) } } });
    expect(() => reviewOf(forged, NOW)).toThrow(expect.objectContaining({ code: 'proposal.mismatch' }));
  });
});

describe('a change that is the same for several kinds of devices', () => {
  it('is told once, for all of them', () => {
    const open = (document: PolicyDocument): Target => ({
      format: 'cordon-target/1',
      policies: [
        { policy: 'pol_1', revision: 1, digest: documentDigest(document) },
        { policy: 'pol_2', revision: 1, digest: documentDigest(other) },
      ],
      assignments: [
        { assignment: 'asg_1', policy: 'pol_1', group: 'grp_all', mode: 'include' },
        { assignment: 'asg_2', policy: 'pol_2', group: 'grp_open', mode: 'include' },
      ],
      groups: [
        { group: 'grp_all', members: { kind: 'all' } },
        { group: 'grp_open', members: { kind: 'open' } },
      ],
    });
    const other = allowing('other.example.com');
    const [old, now] = [open(narrow), open(wide)];
    const both = changed({
      payload: canonicalJson({ ...payload, from: { digest: targetDigest(old), serial: 3 }, to: targetDigest(now) }),
      before: { target: old, lists: {} },
      after: { target: now, lists: {} },
      documents: [narrow, wide, other].map((document) => ({ digest: documentDigest(document), document })),
    });
    const review = reviewOf(both, NOW);
    expect(review.consequences.changes).toHaveLength(2);
    const said = reviewLines(both, review);
    expect(said.filter((line) => line.includes('GAIN'))).toHaveLength(1);
    expect(said.filter((line) => line.includes('paste.example.com'))).toHaveLength(1);
    expect(said).toContain('  any devices that are in no group but "all"');
    expect(said).toContain('  any devices that are put into "?" (grp_open)');
  });
});

describe('a server that shows something else than it asks to sign', () => {
  const of = (document: PolicyDocument): string => documentDigest(document);
  it.each<[string, ProposalDetail, string]>([
    ['another target', changed({ after: { target: before, lists: { grp_servers: ['dev_1'] } } }), 'proposal.mismatch'],
    ['another list', changed({ after: { target: after, lists: { grp_servers: ['dev_1', 'dev_3'] } } }), 'approval.target'],
    ['a list left out', changed({ after: { target: after, lists: {} } }), 'approval.target'],
    ['another beginning', changed({ before: detail.after }), 'proposal.mismatch'],
    ['no beginning', changed({ before: null }), 'proposal.mismatch'],
    ['a beginning that is made up', changed({ payload: canonicalJson({ ...payload, from: null }) }), 'proposal.mismatch'],
    [
      'a harmless document under the digest of another',
      changed({ documents: [of(narrow), of(wide)].map((digest) => ({ digest, document: narrow })) }),
      'proposal.mismatch',
    ],
    ['no document', changed({ documents: [{ digest: of(narrow), document: narrow }] }), 'approval.document-missing'],
    ['a payload that is not canonical', changed({ payload: JSON.stringify(payload) }), 'proposal.mismatch'],
    ['a payload with more in it', changed({ payload: canonicalJson({ ...payload, more: 1 }) }), 'proposal.mismatch'],
    ['a member twice', changed({ payload: detail.payload.replace('{', '{"epoch":0,') }), 'json.refused'],
  ])('is found out: %s', (_what, shown, code) => {
    expect(() => reviewOf(shown, NOW)).toThrow(expect.objectContaining({ code }));
  });
});
