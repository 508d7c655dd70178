/** Groups for other features. */
import type { Tx } from '../context.ts';
import { conflict, notFound } from '../errors.ts';
import { ALL_DEVICES, type GroupRow } from './group.ts';
import { ensureGroup, findGroup, insertMember } from './store.ts';

/** @throws Refusal group.not-found */
export const requireGroup = async (tx: Tx, id: string): Promise<GroupRow> => {
  const group = await findGroup(tx, id);
  if (group === null) throw notFound('group', id);
  return group;
};

/** A group that an admin made. @throws Refusal group.not-found, group.built-in */
export const requireOwnGroup = async (tx: Tx, id: string): Promise<GroupRow> => {
  const group = await requireGroup(tx, id);
  if (group.kind === 'all')
    throw conflict('group.built-in', `"${group.name}" is built in: it holds every device by itself, and stays as it is`);
  return group;
};

/** A group whose members an admin chooses. @throws Refusal group.not-found, group.built-in, group.dynamic */
export const requireStaticGroup = async (tx: Tx, id: string): Promise<GroupRow> => {
  const group = await requireOwnGroup(tx, id);
  if (group.rule !== null)
    throw conflict('group.dynamic', `the rule of "${group.name}" says who is in it (${group.rule}): change the rule, or use another group`);
  return group;
};

/**
 * A group that enrollment tokens may name: its members are not approved one by one.
 * @throws Refusal group.not-found, group.built-in, enrollment.group-listed
 */
export const requireOpenGroup = async (tx: Tx, id: string): Promise<GroupRow> => {
  const group = await requireStaticGroup(tx, id);
  if (group.membership !== 'open')
    throw conflict(
      'enrollment.group-listed',
      `the members of "${group.name}" are approved one by one, and a token would put devices there unseen: open the group first (PATCH /groups/${id} with {"membership":"open"}), or leave groupId out and add the devices when they are enrolled`,
    );
  return group;
};

/** The caller writes the audit entry, and tells publishing after the commit. */
export const addMember = async (tx: Tx, groupId: string, deviceId: string, at: Date): Promise<void> => {
  await insertMember(tx, groupId, deviceId, at);
};

/** Makes the built-in group. */
export const ensureAllDevices = (tx: Tx): Promise<void> => ensureGroup(tx, ALL_DEVICES);
