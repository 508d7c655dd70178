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

/** A group whose members an admin chooses. @throws Refusal group.not-found, group.built-in */
export const requireStaticGroup = async (tx: Tx, id: string): Promise<GroupRow> => {
  const group = await requireGroup(tx, id);
  if (group.kind !== 'static')
    throw conflict('group.built-in', `"${group.name}" holds every device by itself; its members cannot be chosen`);
  return group;
};

/** The caller writes the audit entry, and tells publishing after the commit. */
export const addMember = async (tx: Tx, groupId: string, deviceId: string, at: Date): Promise<void> => {
  await insertMember(tx, groupId, deviceId, at);
};

/** Makes the built-in group. */
export const ensureAllDevices = (tx: Tx): Promise<void> => ensureGroup(tx, ALL_DEVICES);
