/** Everything that is refused leaves as a problem (RFC 9457) with a stable code; what is unexpected leaves without its details and is logged. */
import { CordonError } from '@cordon/policy/errors.ts';
import { PolicyErrors } from '@cordon/policy/document/issues.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import type { App } from './context.ts';
import { isDatabaseGone, sqlStateOf } from './db/faults.ts';
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

/** After a 503: the database or the signer is usually back by then. */
const RETRY_AFTER_SECONDS = 5;

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
  426: 'Upgrade required',
  428: 'Precondition required',
  429: 'Too many requests',
  500: 'Internal error',
  503: 'Unavailable',
};

/** Status of what is not the fault of the request, or is one of the state that it meets: whatever else a CordonError says is bad input. */
const STATUS: Readonly<Record<string, number>> = {
  'identity.issuer': 503,
  'signer.unavailable': 503,
  'signer.failed': 503,
  'signer.refused': 409,
  'signer.rollback': 409,
  'signer.unapproved': 409,
  'signer.serial': 409,
  'signer.epoch': 409,
  'signer.roots': 409,
  'signer.clock': 409,
  'signer.follow': 409,
  'signer.standing': 409,
  'signer.no-root': 503,
  'signer.behind': 503,
  'signer.bundle-missing': 503,
  'signer.state': 503,
  'approval.from': 409,
  'approval.to': 409,
  'approval.serial': 409,
  'approval.epoch': 409,
  'approval.expired': 409,
  'approval.future': 409,
  'approval.threshold': 409,
  'approval.root-expired': 409,
  'proposal.other-payload': 422,
  'proposal.unknown-approver': 422,
  'publish.not-ready': 503,
  'publish.document-missing': 409,
  'publish.too-large': 422,
  'publish.unknown-device': 500,
  'merkle.index': 500,
};

interface Described {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors?: Problem['errors'];
}

type Validation = NonNullable<FastifyErrorLike['validation']>;

/** What may stand at each place where something else stood: the validator names the values of a choice one by one. */
const allowedValues = (validation: Validation): Map<string, readonly string[]> => {
  const allowed = new Map<string, readonly string[]>();
  for (const { instancePath, params } of validation) {
    const [one, several] = [params?.['allowedValue'], params?.['allowedValues']];
    const values = Array.isArray(several) ? several : one === undefined ? [] : [one];
    if (values.length > 0)
      allowed.set(instancePath, [...(allowed.get(instancePath) ?? []), ...values.map((value) => JSON.stringify(value))]);
  }
  return allowed;
};

/** The places that the schema refused, in the words of JSON pointers. */
const fromValidation = (error: { validation: Validation; validationContext?: string }): Described => {
  const where = error.validationContext ?? 'request';
  const allowed = allowedValues(error.validation);
  const errors = error.validation.flatMap(({ instancePath, message, params }) => {
    const extra = params?.['additionalProperty'];
    if (typeof extra === 'string')
      return { pointer: `${instancePath}/${extra.slice(0, 64)}`, message: 'is not known here; remove it or mend its name' };
    const values = allowed.get(instancePath);
    if (values === undefined) return { pointer: instancePath, message: message ?? 'is not valid' };
    allowed.set(instancePath, []);
    return values.length === 0
      ? []
      : { pointer: instancePath, message: `must be ${values.length === 1 ? '' : 'one of '}${values.join(', ')}` };
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

const INTERNAL: Described = {
  status: 500,
  code: 'internal',
  detail: 'something failed that should not; the log has the details under this instance',
};

/** Codes for what the HTTP layer itself refuses. */
const HTTP_CODES: Readonly<Record<number, string>> = {
  404: 'request.not-found',
  413: 'request.too-large',
  415: 'request.media-type',
  429: 'request.too-many',
};

/** What the database refuses although the schema let it through. */
const fromDatabase = (error: unknown): Described | undefined => {
  const state = sqlStateOf(error);
  if (state === '22021' || state === '22P05')
    return { status: 400, code: 'request.text', detail: 'a text holds the character NUL, which cannot be stored; leave it out' };
  if (state === '40001' || state === '40P01')
    return { status: 503, code: 'db.busy', detail: 'another change was made at the same moment; nothing was changed; try again' };
  if (!(error instanceof Prisma.PrismaClientKnownRequestError)) return undefined;
  if (error.code === 'P2002')
    return { status: 409, code: 'request.duplicate', detail: 'something with this name or identity exists already' };
  if (error.code === 'P2003')
    return { status: 409, code: 'request.conflict', detail: 'what this refers to was removed at the same moment; look again and repeat' };
  return undefined;
};

export const describe = (error: unknown): Described => {
  if (error instanceof Refusal) return { status: error.status, code: error.code, detail: error.message };
  if (error instanceof PolicyErrors)
    return { status: 400, code: error.code, detail: error.message, errors: error.issues.map((issue) => ({ ...issue })) };
  if (isDatabaseGone(error))
    return {
      status: 503,
      code: 'db.unavailable',
      detail: 'the database does not answer; try again, and look first whether what you asked for was done',
    };
  if (error instanceof CordonError)
    return STATUS[error.code] === 500 ? INTERNAL : { status: STATUS[error.code] ?? 400, code: error.code, detail: error.message };
  const refused = fromDatabase(error);
  if (refused !== undefined) return refused;
  if (error instanceof Error) {
    const { statusCode = 500, validation, validationContext } = error as FastifyErrorLike;
    if (validation !== undefined) return fromValidation({ validation, ...(validationContext !== undefined && { validationContext }) });
    if (statusCode >= 400 && statusCode < 500)
      return { status: statusCode, code: HTTP_CODES[statusCode] ?? 'request.malformed', detail: error.message };
  }
  return INTERNAL;
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
  if (status === 503) void reply.header('retry-after', RETRY_AFTER_SECONDS);
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
