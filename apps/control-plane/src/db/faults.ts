/** What a failure of the database means: whether the database is gone, or the data is what it refuses. */
import pg from 'pg';
import { Prisma } from './generated/client.ts';

const UNREACHABLE = new Set([
  'P1001',
  'P1002',
  'P1008',
  'P1017',
  'P2024',
  'P2028',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  '57P01',
  '57P02',
  '57P03',
  '08006',
  '08001',
]);
const GONE =
  /ECONNREFUSED|Connection terminated|Can't reach database server|DatabaseNotReachable|ConnectionClosed|not currently accepting connections|timeout exceeded when trying to connect/;

const codeOf = (error: unknown): string | undefined =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** What PostgreSQL itself said (SQLSTATE), also where Prisma wraps it: P2039 and its kin keep the driver's error in `meta`. */
export const sqlStateOf = (error: unknown): string | undefined => {
  if (error instanceof pg.DatabaseError) return error.code;
  const meta: unknown = error instanceof Prisma.PrismaClientKnownRequestError ? error.meta?.['driverAdapterError'] : undefined;
  const cause: unknown = meta instanceof Error ? meta.cause : undefined;
  return typeof cause === 'object' && cause !== null && 'originalCode' in cause && typeof cause.originalCode === 'string'
    ? cause.originalCode
    : undefined;
};

/** Whether the database, rather than the request, is what failed. */
export const isDatabaseGone = (error: unknown): boolean => {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth += 1) {
    if (UNREACHABLE.has(codeOf(at) ?? '') || UNREACHABLE.has(sqlStateOf(at) ?? '') || GONE.test(`${at.name} ${at.message}`)) return true;
  }
  return false;
};

/** Faults of the data itself (SQLSTATE classes 22 and 23): repeating them does not help. */
export const isPoison = (error: unknown): boolean => /^2[23]/.test(sqlStateOf(error) ?? '');
