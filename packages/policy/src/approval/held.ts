/** What is in a bundle, as the judge looks at it: which revisions, and whether one bundle only takes away from another. */
import { Compile } from 'typebox/compile';
import type { SetVerdict } from '../delta/sets/narrows-sets.ts';
import { narrowsSets } from '../delta/sets/narrows-sets.ts';
import { prepareException, withExceptions, type ExceptionTerms, type PreparedException } from '../document/exception.ts';
import { preparePolicy } from '../document/prepare.ts';
import type { PreparedPolicy } from '../document/prepared.ts';
import type { PolicyDocument } from '../document/schema.ts';
import type { AppliedPolicy } from '../effective.ts';
import { CordonError } from '../errors.ts';
import { ContentSchema } from '../trust/bundle-content.ts';
import { documentDigest } from '../trust/bundle.ts';
import { sha256Hex } from '../trust/digest.ts';
import { parseStrictJson } from '../trust/strict-json.ts';
import { givenKey, type Revision } from './approved.ts';
import { plainlyNarrows } from './plainly.ts';

/** As large as what a device takes (trust/verify.ts). */
const MAX_BUNDLE = 2_000_000;
/** More ends of exceptions than this are not looked at one by one. */
const MAX_PHASES = 32;

export interface Held {
  /** SHA-256 of the bundle's bytes; undefined for policies that are only spoken of. */
  readonly digest: string | undefined;
  readonly revisions: readonly (Revision & { readonly document: PolicyDocument })[];
  /** Whether exceptions are added to them. */
  readonly hasExceptions: boolean;
  /** `givenKey` of all of it. */
  readonly key: string;
  /** @throws CordonError when a rule means nothing here */
  prepared(): { readonly policies: readonly PreparedPolicy[]; readonly exceptions: readonly PreparedException[] };
}

const Content = Compile(ContentSchema);

const once = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
};

/** A device without a bundle: nothing launches, as with an empty one. */
export const NOTHING_HELD: Held = {
  digest: undefined,
  revisions: [],
  hasExceptions: false,
  key: '',
  prepared: () => ({ policies: [], exceptions: [] }),
};

/** Reads a bundle's exact bytes as a device does. @throws CordonError `bundle.schema`, `json.*` */
export const readHeld = (text: string): Held => {
  const content = parseStrictJson(text, { maxBytes: MAX_BUNDLE, maxDepth: 32 });
  if (!Content.Check(content)) throw new CordonError('bundle.schema', 'the bundle does not fit the language version');
  const policies: readonly AppliedPolicy[] = content.policies;
  if (new Set(policies.map(({ policy }) => policy)).size !== policies.length)
    throw new CordonError('bundle.schema', 'a policy stands twice in the bundle');
  const revisions = policies.map(({ policy, revision, document }) => ({ policy, revision, digest: documentDigest(document), document }));
  return {
    digest: sha256Hex(text),
    revisions,
    hasExceptions: content.exceptions.length > 0,
    key: givenKey(revisions, content.exceptions),
    prepared: once(() => ({ policies: policies.map(preparePolicy), exceptions: content.exceptions.map(prepareException) })),
  };
};

/** Policies and exceptions as if they were a bundle. @param documentOf by digest. @returns undefined when a document is not known */
export const heldOf = (
  revisions: readonly Revision[],
  exceptions: readonly ExceptionTerms[],
  documentOf: (digest: string) => PolicyDocument | undefined,
): Held | undefined => {
  const known = revisions.flatMap((revision) => {
    const document = documentOf(revision.digest);
    return document === undefined ? [] : [{ ...revision, document }];
  });
  if (known.length !== revisions.length) return undefined;
  return {
    digest: undefined,
    revisions: known,
    hasExceptions: exceptions.length > 0,
    key: givenKey(known, exceptions),
    prepared: once(() => ({
      policies: known.map(({ policy, revision, document }) => preparePolicy({ policy, name: policy, revision, document, because: [] })),
      exceptions: exceptions.map((terms) => prepareException({ ...terms, because: [] })),
    })),
  };
};

/** The same policies, each as it was or plainly less. */
const isPlain = (before: Held, after: Held): boolean =>
  !before.hasExceptions &&
  !after.hasExceptions &&
  before.revisions.length === after.revisions.length &&
  after.revisions.every(({ policy, digest, document }) => {
    const had = before.revisions.find((one) => one.policy === policy);
    return had !== undefined && (had.digest === digest || plainlyNarrows(had.document, document));
  });

/**
 * Whether a device can only lose when it gets `after` in place of `before`, at every time: exceptions end by themselves, so the two are compared at the
 * beginning and after each end. The floor, which only narrows both, is left out.
 */
export const narrows = (before: Held, after: Held): SetVerdict => {
  try {
    if (isPlain(before, after)) return { verdict: 'yes' };
    const [a, b] = [before.prepared(), after.prepared()];
    const ends = [...new Set([...a.exceptions, ...b.exceptions].map(({ expiresAt }) => expiresAt))].sort((x, y) => x - y);
    if (ends.length > MAX_PHASES) return { verdict: 'undecided', why: `the bundles have more than ${MAX_PHASES} ends of exceptions` };
    for (const at of [Number.NEGATIVE_INFINITY, ...ends]) {
      const now = new Date(Math.max(at, -8.64e15));
      const verdict = narrowsSets(
        { policies: withExceptions(a.policies, a.exceptions, now), floor: undefined },
        { policies: withExceptions(b.policies, b.exceptions, now), floor: undefined },
      );
      if (verdict.verdict !== 'yes') return verdict;
    }
    return { verdict: 'yes' };
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return { verdict: 'undecided', why: error.message };
  }
};
