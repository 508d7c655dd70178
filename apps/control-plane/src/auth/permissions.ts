/** Who may do what on the admin listener: one table, read by the guard and by the test over every route and role. */

export const ROLES = ['owner', 'author', 'approver', 'operator', 'helpdesk', 'auditor', 'gitops', 'verifier'] as const;
export type Role = (typeof ROLES)[number];

const READ = [
  'devices.read',
  'enrollment.read',
  'groups.read',
  'policies.read',
  'assignments.read',
  'changes.read',
  'compliance.read',
  'telemetry.read',
  'inventory.read',
  'requests.read',
  'exceptions.read',
  'checkpoints.read',
] as const;
const WRITE = [
  'devices.write',
  'enrollment.write',
  'groups.write',
  'policies.write',
  'assignments.write',
  'exceptions.write',
  'changes.propose',
  'changes.approve',
  'changes.publish',
  'audit.read',
  'tokens.read',
  'tokens.write',
  'identity.introspect',
] as const;

export const PERMISSIONS = [...READ, ...WRITE] as const;
/** `public` needs no token. */
export type Permission = (typeof PERMISSIONS)[number] | 'public';
/** On the device listener: proved by a signature or ticket inside the exchange, or open to anyone. */
export type DevicePermission = 'device' | 'public';

/**
 * - author writes policies and where they apply, and proposes them; approver and owner put them in force; gitops does both for a repository. Who may bring
 *   an approval's signatures is here; whether they count is for the approver's key and the signer.
 * - operator runs the fleet (enrollment, groups, revocation); helpdesk looks, adds devices and drafts exceptions; auditor only looks, everywhere.
 * - verifier is for programs of others that take tokens of runs: it asks whether one still counts, and nothing else.
 */
const GRANTED: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  owner: new Set(PERMISSIONS),
  author: new Set([...READ, 'policies.write', 'assignments.write', 'exceptions.write', 'changes.propose']),
  approver: new Set([...READ, 'changes.propose', 'changes.approve', 'changes.publish', 'audit.read']),
  operator: new Set([...READ, 'devices.write', 'enrollment.write', 'groups.write', 'exceptions.write', 'changes.propose']),
  helpdesk: new Set([
    'devices.read',
    'enrollment.read',
    'enrollment.write',
    'groups.read',
    'policies.read',
    'assignments.read',
    'compliance.read',
    'telemetry.read',
    'inventory.read',
    'requests.read',
    'exceptions.read',
    'exceptions.write',
  ]),
  auditor: new Set([...READ, 'audit.read', 'tokens.read']),
  gitops: new Set([
    'groups.read',
    'policies.read',
    'policies.write',
    'assignments.read',
    'assignments.write',
    'changes.read',
    'changes.propose',
    'changes.publish',
    'compliance.read',
  ]),
  verifier: new Set(['identity.introspect']),
};

export const isRole = (text: string): text is Role => (ROLES as readonly string[]).includes(text);
export const isPermission = (text: string): text is Permission => text === 'public' || (PERMISSIONS as readonly string[]).includes(text);

/** Whether a role may do it. `public` is for everyone. */
export const may = (role: Role, permission: Permission): boolean => permission === 'public' || GRANTED[role].has(permission);
