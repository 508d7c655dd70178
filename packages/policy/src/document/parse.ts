/** Policy text to document. */
import { Compile } from 'typebox/compile';
import { checkDocument } from './check.ts';
import { readDocument, type Locate } from './read.ts';
import { PolicyDocument } from './schema.ts';

const validator = Compile(PolicyDocument);

/**
 * @param text at most 256 KiB
 * @returns the document, and where in the text its parts stand
 * @throws PolicyErrors (code `policy.invalid`) with every issue
 */
export const parsePolicy = (text: string): { readonly document: PolicyDocument; readonly locate: Locate } =>
  readDocument(text, { kind: 'policy', schema: PolicyDocument, validator, check: checkDocument });
