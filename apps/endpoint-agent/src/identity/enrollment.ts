/** What enrollment left on this device: who it is, whose it is, and the root that everything is verified against. */
import fs from 'node:fs';
import path from 'node:path';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { Id } from '@cordon/policy/protocol/enrollment.ts';
import { checkOf } from '../checked-file.ts';
import { readJson, writeDurably } from '../durable.ts';

const Enrollment = Type.Object(
  {
    server: Type.String(),
    org: Type.String(),
    device: Id,
    memberIndex: Type.Integer({ minimum: 0 }),
    fingerprint: Type.String(),
    roots: Type.Array(Type.String()),
    floor: Type.String(),
    /** At its enrollment it had to wait for an administrator. */
    pending: Type.Optional(Type.Literal(true)),
  },
  { additionalProperties: false },
);
export type Enrollment = Static<typeof Enrollment>;
const validator = Compile(Enrollment);

const fileIn = (stateDir: string): string => path.join(stateDir, 'enrollment.json');

/**
 * @returns undefined where this device was never enrolled
 * @throws CordonError `enroll.damaged`: it was, and what it was told then is not what stands there
 */
export const loadEnrollment = (stateDir: string): Enrollment | undefined => {
  const place = fileIn(stateDir);
  const value = readJson(place);
  if (value === undefined && !fs.existsSync(place)) return undefined;
  const { check, ...enrollment } = typeof value === 'object' && value !== null ? (value as { check?: unknown }) : {};
  if (validator.Check(enrollment) && (check === undefined || check === checkOf(enrollment))) return enrollment;
  throw new CordonError('enroll.damaged', `${place} is damaged: put its copy back; nothing is launched here, and nothing enrols over it`, {
    place,
  });
};

/** @throws CordonError `enroll.missing`, `enroll.damaged` */
export const requireEnrollment = (stateDir: string): Enrollment => {
  const enrollment = loadEnrollment(stateDir);
  if (enrollment === undefined)
    throw new CordonError(
      'enroll.missing',
      `this device is not enrolled (there is nothing in ${stateDir}): run cordon enroll --server URL`,
      {
        place: stateDir,
      },
    );
  return enrollment;
};

export const saveEnrollment = (stateDir: string, enrollment: Enrollment): void =>
  writeDurably(fileIn(stateDir), JSON.stringify({ ...enrollment, check: checkOf(enrollment) }));
