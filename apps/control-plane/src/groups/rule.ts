/** The rule of a dynamic group: a filter over what is known of a device. Pure. */
import type { Fields, Filter } from '@cordon/policy/filter/filter.ts';
import { parseFilter } from '@cordon/policy/filter/parse.ts';
import { DEVICE_FIELDS } from '../devices/filter.ts';

const { name, os, osVersion, arch, agentVersion, assurance, enrolledAt, lastSeen, enrollmentToken } = DEVICE_FIELDS;

/** Nothing that hangs on groups itself, as compliance does: a rule would turn what it looks at. */
export const RULE_FIELDS: Fields = { name, os, osVersion, arch, agentVersion, assurance, enrolledAt, lastSeen, enrollmentToken };

/** @throws CordonError filter.* with the column */
export const parseRule = (rule: string): Filter => parseFilter(rule, RULE_FIELDS);
