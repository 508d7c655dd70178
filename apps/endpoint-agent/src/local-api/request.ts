/** What a local caller may ask, as a closed schema: the caller may be the workload itself. */
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { MAX_MANIFEST } from '@cordon/policy/manifest/limits.ts';
import { ASKING_REQUESTS } from '../asking/words.ts';
import { AGENTS_REQUEST } from '../discovery/requests.ts';
import { TOKEN_REQUEST } from '../run-identity/requests.ts';
import { MEMORY_REQUESTS } from '../run-log/requests.ts';
import type { Request } from './protocol.ts';

const closed = { additionalProperties: false } as const;
const who = {
  agent: Type.Optional(Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,63}$' })),
  user: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  cwd: Type.String({ minLength: 1, maxLength: 4096, pattern: '^/' }),
  manifest: Type.Optional(Type.String({ maxLength: MAX_MANIFEST })),
};
const side = Type.Integer({ minimum: 1, maximum: 65_535 });
const size = { rows: side, columns: side };
const validator = Compile(
  Type.Union([
    Type.Object(
      {
        op: Type.Literal('run'),
        learn: Type.Optional(Type.Literal(true)),
        argv: Type.Array(Type.String({ maxLength: 131_072, pattern: '^[^\\u0000]*$' }), { minItems: 1, maxItems: 4096 }),
        terminal: Type.Optional(
          Type.Object({ ...size, name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$' }), stderr: Type.Boolean() }, closed),
        ),
        ...who,
      },
      closed,
    ),
    Type.Object(
      {
        op: Type.Literal('why'),
        target: Type.String({ minLength: 1, maxLength: 4096 }),
        access: Type.Union([Type.Literal('read'), Type.Literal('write')]),
        ...who,
      },
      closed,
    ),
    Type.Object({ op: Type.Literal('status') }, closed),
    Type.Object({ op: Type.Literal('rotate-key') }, closed),
    ...MEMORY_REQUESTS,
    ...ASKING_REQUESTS,
    TOKEN_REQUEST,
    AGENTS_REQUEST,
    Type.Object(
      {
        op: Type.Literal('environment'),
        values: Type.Record(Type.String({ maxLength: 128 }), Type.String({ maxLength: 131_072, pattern: '^[^\\u0000]*$' })),
      },
      closed,
    ),
    Type.Object({ op: Type.Literal('resize'), ...size }, closed),
    Type.Object({ op: Type.Literal('signal'), signal: Type.Literal('terminate') }, closed),
  ]),
);

/** @throws CordonError `local.request` */
export const parseRequest = (payload: Buffer): Request => {
  let value: unknown;
  try {
    value = JSON.parse(payload.toString('utf8'));
  } catch (cause) {
    throw new CordonError('local.request', 'not JSON', { cause });
  }
  if (!validator.Check(value))
    throw new CordonError(
      'local.request',
      'not a request that this daemon knows: look at the ids and names that were given; if they are right, command and daemon are of different versions',
    );
  return value;
};
