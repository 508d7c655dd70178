/**
 * `cordon json-check`, `cordon key-check`, `cordon proof-check`: the strict JSON parser, the admission of public keys and Merkle inclusion proofs, for other
 * suites to try. Cases come on standard input; see docs/verifier.md.
 */
import { Type } from 'typebox';
import { CordonError } from '@cordon/policy/errors.ts';
import { checkPublicKey, thumbprint } from '@cordon/policy/trust/keys.ts';
import { verifyHashInclusion, verifyInclusion } from '@cordon/policy/trust/merkle.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';
import { answerCases, MAX_LINE } from './case-lines.ts';
import { argumentsOf } from './table.ts';

const closed = { additionalProperties: false } as const;
const id = Type.Union([Type.String({ maxLength: 256 }), Type.Number()]);
const Base64 = Type.String({ pattern: '^[A-Za-z0-9+/]*={0,2}$' });

const limits = {
  maxBytes: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_LINE })),
  maxDepth: Type.Optional(Type.Integer({ minimum: 0, maximum: 512 })),
};
const JsonCase = Type.Union([
  Type.Object({ id, text: Type.String(), ...limits }, closed),
  Type.Object({ id, base64: Base64, ...limits }, closed),
]);
const KeyCase = Type.Object({ id, jwk: Type.Unknown() }, closed);
const place = { index: Type.Number(), size: Type.Number(), proof: Type.Array(Type.String()), root: Type.String() };
const ProofCase = Type.Union([
  Type.Object({ id, leaf: Base64, ...place }, closed),
  Type.Object({ id, leafHash: Type.String({ pattern: '^[0-9a-f]{64}$' }), ...place }, closed),
]);

/** @throws CordonError `cli.usage` */
const streams = (name: string, args: readonly string[]): { input: NodeJS.ReadStream; output: NodeJS.WriteStream } => {
  argumentsOf(name, args);
  return { input: process.stdin, output: process.stdout };
};

export const jsonCheckCommand = async (args: readonly string[]): Promise<number> => {
  await answerCases(
    JsonCase,
    ({ maxBytes = MAX_LINE, maxDepth = 64, ...one }) =>
      parseStrictJson('text' in one ? one.text : Buffer.from(one.base64, 'base64'), { maxBytes, maxDepth }),
    streams('json-check', args),
  );
  return 0;
};

export const keyCheckCommand = async (args: readonly string[]): Promise<number> => {
  await answerCases(KeyCase, ({ jwk }) => thumbprint(checkPublicKey(jwk)), streams('key-check', args));
  return 0;
};

export const proofCheckCommand = async (args: readonly string[]): Promise<number> => {
  await answerCases(
    ProofCase,
    ({ id: _id, ...one }) => {
      const stands =
        'leaf' in one
          ? verifyInclusion({ ...one, leaf: Buffer.from(one.leaf, 'base64') })
          : verifyHashInclusion({ ...one, hash: Buffer.from(one.leafHash, 'hex') });
      if (!stands) throw new CordonError('proof.refused', 'the leaf does not stand at this index of a tree with this size and root');
      return true;
    },
    streams('proof-check', args),
  );
  return 0;
};
