/** Texts that the signer has for the judge: bundles that devices have, and documents of approved targets. */
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { readHeld, type Held } from '@cordon/policy/approval/held.ts';
import type { Standing } from '@cordon/policy/approval/walk.ts';
import { PolicyDocument } from '@cordon/policy/document/schema.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';

const Document = Compile(PolicyDocument);
const MAX_DOCUMENT = 2_000_000;

export type Texts = ReadonlyMap<string, string>;

export const textsByDigest = (texts: readonly string[]): Texts => new Map(texts.map((text) => [sha256Hex(text), text]));

/** Digests of the documents that approved targets name. */
const namedBy = ({ approved, before }: Standing): ReadonlySet<string> =>
  new Set([approved, before].flatMap((one) => one?.target.policies.map(({ digest }) => digest) ?? []));

const difference = (now: Texts, before: Texts): { readonly added: Texts; readonly gone: readonly string[] } => ({
  added: new Map([...now].filter(([digest]) => !before.has(digest))),
  gone: [...before.keys()].filter((digest) => !now.has(digest)),
});

export class Knowledge {
  readonly bundles: Texts;
  readonly documents: Texts;
  readonly #held: Map<string, Held>;
  readonly #parsed: Map<string, PolicyDocument | undefined>;

  constructor(bundles: Texts, documents: Texts, held = new Map<string, Held>(), parsed = new Map<string, PolicyDocument | undefined>()) {
    this.bundles = bundles;
    this.documents = documents;
    this.#held = held;
    this.#parsed = parsed;
  }

  /** @throws CordonError `bundle.schema`, `json.*` for one that no device takes */
  readonly heldOf = (digest: string): Held | undefined => {
    const text = this.bundles.get(digest);
    if (text === undefined) return undefined;
    const held = this.#held.get(digest) ?? readHeld(text);
    this.#held.set(digest, held);
    return held;
  };

  readonly documentOf = (digest: string): PolicyDocument | undefined => {
    const text = this.documents.get(digest);
    if (text === undefined) return undefined;
    if (!this.#parsed.has(digest)) {
      const value = parseStrictJson(text, { maxBytes: MAX_DOCUMENT, maxDepth: 32 });
      this.#parsed.set(digest, Document.Check(value) ? value : undefined);
    }
    return this.#parsed.get(digest);
  };

  /** With texts that were sent. Nothing is kept yet. */
  with(bundles: Texts, documents: Texts): Knowledge {
    return new Knowledge(
      new Map([...this.bundles, ...bundles]),
      new Map([...this.documents, ...documents]),
      new Map(this.#held),
      new Map(this.#parsed),
    );
  }

  /**
   * Only what is needed from here on: bundles that somebody has, and documents that approved targets name, which bundles bring along.
   * @throws CordonError `signer.bundle-missing` when somebody's bundle is not here
   */
  keeping(digests: ReadonlySet<string>, standing: Standing): Knowledge {
    const bundles = new Map<string, string>();
    const documents = new Map<string, string>();
    const named = namedBy(standing);
    for (const digest of digests) {
      const text = this.bundles.get(digest);
      if (text === undefined)
        throw new CordonError('signer.bundle-missing', `the bundle ${digest} that devices have was not sent`, { retryable: true });
      bundles.set(digest, text);
    }
    for (const digest of named) {
      const text = this.documents.get(digest);
      if (text !== undefined) documents.set(digest, text);
    }
    // Reading every bundle is dear, and most bring nothing new: only while a named document is missing.
    if (documents.size < named.size)
      for (const digest of digests)
        for (const { digest: own, document } of this.heldOf(digest)?.revisions ?? [])
          if (named.has(own) && !documents.has(own)) documents.set(own, canonicalJson(document));
    const only = <T>(all: ReadonlyMap<string, T>, kept: Texts): Map<string, T> => new Map([...all].filter(([digest]) => kept.has(digest)));
    return new Knowledge(bundles, documents, only(this.#held, bundles), only(this.#parsed, documents));
  }

  /** What another has that this one has not, and the other way round: what is to be written. */
  changesTo(next: Knowledge): { readonly bundles: ReturnType<typeof difference>; readonly documents: ReturnType<typeof difference> } {
    return { bundles: difference(next.bundles, this.bundles), documents: difference(next.documents, this.documents) };
  }
}
