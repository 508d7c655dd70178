/** What an annotation says, as strict as a manifest. */
import { Compile } from 'typebox/compile';
import { checkSection, type Finding } from '../document/check.ts';
import type { PolicyIssue } from '../document/issues.ts';
import { issuesOf, type Locate } from '../document/read.ts';
import { Declaration } from './schema.ts';

const validator = Compile(Declaration);

const check = ({ optional, ...required }: Declaration): readonly Finding[] => [
  ...checkSection(required, 'allow', []),
  ...(optional === undefined ? [] : checkSection(optional, 'allow', ['optional'])),
];

/**
 * @param locate where in the source the parts of the value stand
 * @returns the declaration if nothing is wrong with it, and everything that is
 */
export const declarationIssues = (
  value: unknown,
  locate: Locate,
): { readonly declaration: Declaration | undefined; readonly issues: readonly PolicyIssue[] } => {
  const issues = issuesOf({ kind: 'manifest', schema: Declaration, validator, check }, value, locate);
  return { declaration: issues.length === 0 && validator.Check(value) ? value : undefined, issues };
};
