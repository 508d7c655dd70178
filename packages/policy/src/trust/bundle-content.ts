/** What a bundle's bytes must be: closed, and understood by this language version. */
import { Type } from 'typebox';
import { Because, Exception } from '../document/exception.ts';
import { PolicyDocument } from '../document/schema.ts';

const closed = { additionalProperties: false } as const;

export const ContentSchema = Type.Object(
  {
    format: Type.Literal('cordon-bundle/1'),
    language: Type.Literal('cordon/v1'),
    policies: Type.Array(
      Type.Object(
        {
          policy: Type.String({ maxLength: 64 }),
          name: Type.String({ maxLength: 128 }),
          revision: Type.Integer({ minimum: 1 }),
          document: PolicyDocument,
          because: Because,
        },
        closed,
      ),
      { maxItems: 1000 },
    ),
    exceptions: Type.Array(Exception, { maxItems: 1000 }),
  },
  closed,
);
