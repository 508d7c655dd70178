/** What is wrong with a document, a policy or a manifest: all of it at once, each with its place. */
import { CordonError } from '../errors.ts';

export interface PolicyIssue {
  readonly code: string;
  /** JSON pointer (RFC 6901) into the document. */
  readonly pointer: string;
  /** 1-based place in the text; 0 when the text has no such place. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export class PolicyErrors extends CordonError {
  readonly issues: readonly PolicyIssue[];

  /** @param kind what the document is: `policy` gives the code `policy.invalid` */
  constructor(issues: readonly PolicyIssue[], kind = 'policy') {
    const [first] = issues;
    super(
      `${kind}.invalid`,
      `the ${kind} has ${issues.length} error${issues.length === 1 ? '' : 's'}; the first: line ${first?.line ?? 0}${first?.pointer ? `, ${first.pointer}` : ''}: ${first?.message ?? ''}`,
    );
    this.name = 'PolicyErrors';
    this.issues = issues;
  }
}

/** Levenshtein distance, for "did you mean". */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length] ?? 0;
};

/** @returns the known word nearest to an unknown one, if it is near enough to be a typing error */
export const nearest = (word: string, known: readonly string[]): string | undefined => {
  const [best] = known
    .map((candidate) => ({ candidate, far: distance(word.slice(0, 64).toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.far - b.far);
  return best !== undefined && best.far <= Math.max(2, Math.floor(word.length / 3)) ? best.candidate : undefined;
};
