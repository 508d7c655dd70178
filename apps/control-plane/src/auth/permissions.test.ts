import { describe, expect, it } from 'vitest';
import { isPermission, isRole, may, PERMISSIONS, ROLES, type Permission, type Role } from './permissions.ts';

const able = (role: Role): Permission[] => PERMISSIONS.filter((permission) => may(role, permission));
const whoMay = (permission: Permission): Role[] => ROLES.filter((role) => may(role, permission));

describe('the table of roles', () => {
  it('lets the owner do everything, and everyone what is public', () => {
    expect(able('owner')).toEqual([...PERMISSIONS]);
    for (const role of ROLES) expect(may(role, 'public')).toBe(true);
  });

  it('gives what is dangerous to few', () => {
    expect(whoMay('tokens.write')).toEqual(['owner']);
    expect(whoMay('changes.publish')).toEqual(['owner', 'approver', 'gitops']);
    expect(whoMay('devices.write')).toEqual(['owner', 'operator']);
    expect(whoMay('policies.write')).toEqual(['owner', 'author', 'gitops']);
    expect(whoMay('audit.read')).toEqual(['owner', 'approver', 'auditor']);
  });

  it('lets nobody but owner and gitops both write a policy and put it in force', () => {
    expect(ROLES.filter((role) => may(role, 'policies.write') && may(role, 'changes.publish'))).toEqual(['owner', 'gitops']);
  });

  it('lets an auditor look and change nothing', () => {
    expect(able('auditor').filter((permission) => !permission.endsWith('.read'))).toEqual([]);
    expect(able('auditor').length).toBeGreaterThan(8);
  });

  it('knows its own names and no others', () => {
    for (const role of ROLES) expect(isRole(role)).toBe(true);
    for (const name of [...PERMISSIONS, 'public']) expect(isPermission(name)).toBe(true);
    for (const name of ['', 'root', 'Owner', 'constructor', '__proto__', 'devices.*']) {
      expect(isRole(name)).toBe(false);
      expect(isPermission(name)).toBe(false);
    }
  });
});
