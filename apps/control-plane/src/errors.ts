/** Everything that is refused leaves as a problem (RFC 9457) with a stable code; what is unexpected leaves without its details and is logged. */
import { CordonError } from '@cordon/policy/errors.ts';
import { PolicyErrors } from '@cordon/policy/document/issues.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import type { App } from './context.ts';
import { Prisma } from './db/generated/client.ts';

export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String(),
    detail: Type.String(),
    instance: Type.String(),
    errors: Type.Optional(
      Type.Array(
        Type.Object(
          {
            code: Type.Optional(Type.String()),
            pointer: Type.String(),
            line: Type.Optional(Type.Integer()),
            column: Type.Optional(Type.Integer()),
            message: Type.String(),
          },
          { additionalProperties: false },
        ),
      ),
    ),
  },
  { $id: 'Problem', additionalProperties: false },
);
export type Problem = Static<typeof Problem>;

/** A refusal that knows its HTTP status. Codes are `area.what`. */
export class Refusal extends CordonError {
  readonly status: number;

  constructor(status: number, code: string, message: string, options: { place?: string; retryable?: boolean; cause?: unknown } = {}) {
    super(code, message, options);
    this.name = 'Refusal';
    this.status = status;
  }
}

/** @param kind the noun in singular, which begins the code: `device.not-found` */
export const notFound = (kind: string, id: string): Refusal =>
  new Refusal(404, `${kind}.not-found`, `there is no ${kind} ${id.slice(0, 64)}`, { place: id.slice(0, 64) });
export const badRequest = (code: string, message: string, place?: string): Refusal =>
  new Refusal(400, code, message, place === undefined ? {} : { place });
export const conflict = (code: string, message: string): Refusal => new Refusal(409, code, message);

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not found',
  409: 'Conflict',
  412: 'Precondition failed',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Refused',
  428: 'Precondition required',
  429: 'Too many requests',
  500: 'Internal error',
  503: 'Unavailable',
};

/** Status of what packages/policy refuses: bad input, unless it says otherwise here. */
const STATUS: Readonly<Record<string, number>> = { 'signer.unavailable': 503, 'signer.refused': 409 };
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

interface Described {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors?: Problem['errors'];
}

const codeOf = (error: unknown): string | undefined =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** What PostgreSQL itself said, where Prisma wraps it (P2039 and its kin keep the driver's error in `meta`). */
const databaseCode = (error: Error): string | undefined => {
  const meta: unknown = error instanceof Prisma.PrismaClientKnownRequestError ? error.meta?.['driverAdapterError'] : undefined;
  const cause: unknown = meta instanceof Error ? meta.cause : undefined;
  return typeof cause === 'object' && cause !== null && 'originalCode' in cause && typeof cause.originalCode === 'string'
    ? cause.originalCode
    : undefined;
};
const GONE =
  /ECONNREFUSED|Connection terminated|Can't reach database server|DatabaseNotReachable|ConnectionClosed|not currently accepting connections/;

/** Whether the database, rather than the request, is what failed. */
export const isDatabaseGone = (error: unknown): boolean => {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth += 1) {
    if (UNREACHABLE.has(codeOf(at) ?? '') || UNREACHABLE.has(databaseCode(at) ?? '') || GONE.test(`${at.name} ${at.message}`)) return true;
  }
  return false;
};

/** The places that the schema refused, in the words of JSON pointers. */
const fromValidation = (error: { validation: NonNullable<FastifyErrorLike['validation']>; validationContext?: string }): Described => {
  const where = error.validationContext ?? 'request';
  const errors = error.validation.map(({ instancePath, message, params }) => {
    const extra = params?.['additionalProperty'];
    const pointer = typeof extra === 'string' ? `${instancePath}/${extra.slice(0, 64)}` : instancePath;
    return { pointer, message: typeof extra === 'string' ? 'is not known here; remove it or mend its name' : (message ?? 'is not valid') };
  });
  const [first] = errors;
  return { status: 400, code: 'request.invalid', detail: `${where}${first?.pointer ?? ''} ${first?.message ?? 'is not valid'}`, errors };
};

interface FastifyErrorLike {
  readonly statusCode?: number;
  readonly validation?: readonly {
    readonly instancePath: string;
    readonly message?: string;
    readonly params?: Readonly<Record<string, unknown>>;
  }[];
  readonly validationContext?: string;
}

/** Codes for what the HTTP layer itself refuses. */
const HTTP_CODES: Readonly<Record<number, string>> = {
  404: 'request.not-found',
  413: 'request.too-large',
  415: 'request.media-type',
  429: 'request.too-many',
};

export const describe = (error: unknown): Described => {
  if (error instanceof Refusal) return { status: error.status, code: error.code, detail: error.message };
  if (error instanceof PolicyErrors)
    return { status: 400, code: error.code, detail: error.message, errors: error.issues.map((issue) => ({ ...issue })) };
  if (isDatabaseGone(error))
    return { status: 503, code: 'db.unavailable', detail: 'the database does not answer; nothing was changed; try again' };
  if (error instanceof CordonError) return { status: STATUS[error.code] ?? 400, code: error.code, detail: error.message };
  if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002')
    return { status: 409, code: 'request.duplicate', detail: 'something with this name or identity exists already' };
  if (error instanceof Error) {
    const { statusCode = 500, validation, validationContext } = error as FastifyErrorLike;
    if (validation !== undefined) return fromValidation({ validation, ...(validationContext !== undefined && { validationContext }) });
    if (statusCode >= 400 && statusCode < 500)
      return { status: statusCode, code: HTTP_CODES[statusCode] ?? 'request.malformed', detail: error.message };
  }
  return { status: 500, code: 'internal', detail: 'something failed that should not; the log has the details under this instance' };
};

const send = (reply: FastifyReply, request: FastifyRequest, { status, code, detail, errors }: Described): FastifyReply => {
  const problem: Problem = {
    type: `urn:cordon:problem:${code}`,
    title: TITLES[status] ?? 'Refused',
    status,
    code,
    detail,
    instance: `urn:cordon:request:${request.id}`,
    ...(errors !== undefined && { errors }),
  };
  return reply.code(status).type('application/problem+json').serializer(JSON.stringify).send(problem);
};

/** Makes one listener answer every failure as a problem. */
export const registerErrors = (app: App): void => {
  app.setErrorHandler((error, request, reply) => {
    const described = describe(error);
    if (described.status >= 500) request.log.error({ err: error }, 'request failed');
    return send(reply, request, described);
  });
  app.setNotFoundHandler((request, reply) =>
    send(reply, request, {
      status: 404,
      code: 'request.not-found',
      detail: `there is no ${request.method} ${request.url.split('?')[0]?.slice(0, 200) ?? ''}`,
    }),
  );
};

/** Turns a broken uniqueness into the refusal that names it, and leaves every other failure as it is. */
export const onDuplicate =
  (refusal: Refusal) =>
  (error: unknown): never => {
    throw error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002' ? refusal : error;
  };
