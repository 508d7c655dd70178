/** Policy text to document. */
import { Compile } from 'typebox/compile';
import { checkDocument } from './check.ts';
import { readDocument } from './read.ts';
import { PolicyDocument } from './schema.ts';

const validator = Compile(PolicyDocument);

/** @throws PolicyErrors (code `policy.invalid`) with every issue */
export const parsePolicy = (text: string): { readonly document: PolicyDocument } => ({
  document: readDocument(text, { kind: 'policy', schema: PolicyDocument, validator, check: checkDocument }),
});
