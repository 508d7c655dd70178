/** What can be asked of a device in a filter, and where the database has it. */
import type { Fields } from '@cordon/policy/filter/filter.ts';
import { STATES } from '../compliance/compliance.ts';
import { Prisma } from '../db/generated/client.ts';
import type { Columns } from '../filtering/sql.ts';
import { STANDINGS } from './standing.ts';

export const DEVICE_FIELDS = {
  name: { kind: 'text', description: 'its name here' },
  state: { kind: 'word', words: STANDINGS, description: 'where it stands between its enrollment and its end' },
  compliance: { kind: 'word', words: STATES, description: 'as last evaluated' },
  group: { kind: 'set', description: 'the names of the groups whose member it is' },
  quarantined: { kind: 'flag', description: 'it is kept from launching anything' },
  awaitingApproval: { kind: 'flag', description: 'its groups would give it more than anybody has approved' },
  enrolledAt: { kind: 'time', description: 'when it was enrolled' },
  lastSeen: { kind: 'time', description: 'when it was last heard; unknown before the first time' },
  enrollmentToken: { kind: 'text', description: 'the id of the token that it was enrolled with' },
  os: { kind: 'word', words: ['linux', 'macos', 'windows'], description: 'its operating system', selfReported: true },
  osVersion: { kind: 'version', description: 'of the operating system', selfReported: true },
  arch: { kind: 'text', description: 'of the processor: x64, arm64', selfReported: true },
  agentVersion: { kind: 'version', description: 'of the endpoint agent', selfReported: true },
  assurance: { kind: 'word', words: ['system', 'user'], description: 'to whom the agent on it belongs', selfReported: true },
} as const satisfies Fields;

/** In a query of `device d LEFT JOIN device_status s`. */
export const DEVICE_COLUMNS: Columns<typeof DEVICE_FIELDS> = {
  name: Prisma.sql`d.name`,
  // As `standingOf`.
  state: Prisma.sql`CASE WHEN d.revoked_at IS NOT NULL THEN coalesce(d.ended_as, 'revoked') WHEN d.approved_at IS NULL THEN 'pending' ELSE 'active' END`,
  compliance: Prisma.sql`coalesce(s.state, 'Unknown')`,
  group: Prisma.sql`ARRAY(SELECT g.name FROM group_member m JOIN device_group g ON g.id = m.group_id WHERE m.device_id = d.id)`,
  quarantined: Prisma.sql`(d.quarantined_at IS NOT NULL)`,
  awaitingApproval: Prisma.sql`(d.awaiting IS NOT NULL)`,
  enrolledAt: Prisma.sql`d.enrolled_at`,
  lastSeen: Prisma.sql`d.last_seen_at`,
  enrollmentToken: Prisma.sql`d.enrollment_token_id`,
  os: Prisma.sql`(d.facts->>'os')`,
  osVersion: Prisma.sql`(d.facts->>'osVersion')`,
  arch: Prisma.sql`(d.facts->>'arch')`,
  agentVersion: Prisma.sql`(d.facts->>'agentVersion')`,
  assurance: Prisma.sql`(d.facts->>'assurance')`,
};
