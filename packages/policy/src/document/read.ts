/** Text to document, strictly: YAML 1.2 or JSON, every error with its place. For policies and manifests alike. */
import type { Static, TSchema } from 'typebox';
import type { Validator } from 'typebox/compile';
import { isAlias, isMap, isScalar, LineCounter, parseDocument, visit, type Document } from 'yaml';
import type { Finding } from './check.ts';
import { expected, knownKeys } from './expected.ts';
import { nearest, PolicyErrors, type PolicyIssue } from './issues.ts';
import { Prunable } from './prune.ts';

const MAX_TEXT = 262_144;
const MAX_DEPTH = 16;
/** A file that is none of ours would give thousands. */
const MAX_ISSUES = 100;

type Path = readonly (string | number)[];
/** Where in the text a part of a document stands: 1-based. With a key, where that key of the part stands. */
export type Locate = (path: Path, key?: string) => { line: number; column: number };

export interface Language<S extends TSchema> {
  /** Begins every code: `policy` gives `policy.syntax`. */
  readonly kind: string;
  /** 256 KiB unless said. */
  readonly maxBytes?: number;
  readonly schema: S;
  readonly validator: { Check(value: unknown): value is Static<S>; Errors(value: unknown): ReturnType<Validator['Errors']> };
  /** What the schema cannot say. */
  readonly check: (document: Static<S>) => readonly Finding[];
}

export const pointerOf = (path: Path): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
const pathOf = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

/** Finds the place of a path in the text: of the key if one is named, else of the value, else of the nearest parent that has one. */
const locator =
  (yaml: Document.Parsed, lines: LineCounter): Locate =>
  (path, key) => {
    for (let length = path.length; length >= 0; length -= 1) {
      const node = yaml.getIn(path.slice(0, length), true);
      const pair = key !== undefined && isMap(node) ? node.items.find((item) => String(item.key) === key) : undefined;
      const range =
        (pair?.key as { range?: readonly number[] } | undefined)?.range ?? (node as { range?: readonly number[] } | undefined)?.range;
      if (range?.[0] !== undefined) {
        const { line, col } = lines.linePos(range[0]);
        return { line, column: col };
      }
    }
    return { line: 1, column: 1 };
  };

/** Places of keys that stand twice in one map. The parser's own test compares each key with all before it: seconds for a long map. */
const repeatedKeys = (yaml: Document.Parsed): number[] => {
  const places: number[] = [];
  visit(yaml, {
    Map: (_, { items }) => {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        const name = isScalar(key) ? key.value : key;
        if (seen.has(name)) places.push((key as { range?: readonly number[] } | null)?.range?.[0] ?? 0);
        seen.add(name);
      }
    },
  });
  return places.toSorted((a, b) => a - b);
};

interface Foreign {
  readonly place: number;
  readonly code: 'alias' | 'tag' | 'syntax';
  readonly message: string;
}

/** What YAML has and a policy has not. A tag would make of a map something in which nobody finds the rules. */
const foreignParts = (yaml: Document.Parsed): Foreign[] => {
  const found: Foreign[] = [];
  visit(yaml, {
    Node: (_, node) => {
      const place = node.range?.[0] ?? 0;
      if (isAlias(node) || node.anchor !== undefined)
        found.push({ place, code: 'alias', message: 'anchors and aliases are not understood; write the value where it is meant' });
      else if (node.tag !== undefined)
        found.push({ place, code: 'tag', message: `the tag ${node.tag} is not understood; write the value without it` });
      else if (isScalar(node) && typeof node.value === 'string' && !node.value.isWellFormed())
        found.push({ place, code: 'syntax', message: 'the text holds half a character (a lone surrogate)' });
    },
  });
  return found.toSorted((a, b) => a.place - b.place);
};

const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((at, part) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[part] : undefined), value);

interface Complaint {
  /** In the pruned copy. */
  readonly at: Path;
  readonly key?: string;
  readonly code: string;
  readonly message: string;
}

/** One pass of the validator, which stops after a few errors. */
const complaints = <S extends TSchema>({ kind, schema, validator }: Language<S>, value: unknown): Complaint[] =>
  [...validator.Errors(value)].flatMap((error): Complaint[] => {
    const at = pathOf(error.instancePath);
    // A member of a closed object; one that holds many has no room left for the error of the object itself, which says the same.
    if (error.keyword === 'boolean') {
      const [parent, key] = [at.slice(0, -1), at.at(-1) ?? ''];
      const known = knownKeys(schema, parent);
      const near = nearest(key, known);
      const hint = near === undefined ? `there are: ${known.join(', ')}` : `did you mean ${JSON.stringify(near)}?`;
      return [{ at: parent, key, code: `${kind}.unknown-key`, message: `${JSON.stringify(key)} is not known here; ${hint}` }];
    }
    if (error.keyword === 'additionalProperties') return [];
    if (error.keyword === 'required')
      return error.params.requiredProperties.map((key) => ({
        at,
        code: `${kind}.missing-key`,
        message: `${JSON.stringify(key)} is missing`,
      }));
    return [{ at, code: `${kind}.value`, message: expected(schema, at, valueAt(value, at), error.message) }];
  });

/** All issues: what the schema refuses is reported and taken out, until the rest fits and can be judged by meaning. */
export const issuesOf = <S extends TSchema>(language: Language<S>, value: unknown, locate: Locate): PolicyIssue[] => {
  const { validator, check } = language;
  const copy = new Prunable(value);
  const issues: PolicyIssue[] = [];
  const report = (code: string, at: Path, message: string, key?: string): void => {
    const path = copy.original(at);
    issues.push({ code, pointer: pointerOf(key === undefined ? path : [...path, key]), ...locate(path, key), message });
  };
  // What is missing only because it was taken out is no news.
  const parents = new Set<string>();
  while (!validator.Check(copy.value)) {
    const found = complaints(language, copy.value);
    const seen = new Set<string>();
    const isNew = ({ at, key, message }: Complaint): boolean => {
      const said = JSON.stringify([at, key, message]); // one value can break two words of the schema
      return !seen.has(said) && seen.add(said) && (key !== undefined || !parents.has(pointerOf(copy.original(at))));
    };
    const news = found.filter(isNew);
    for (const { code, at, message, key } of news) report(code, at, message, key);
    const places = new Map(found.map(({ at, key }) => (key === undefined ? at : [...at, key])).map((path) => [pointerOf(path), path]));
    for (const path of places.values()) parents.add(pointerOf(copy.original(path).slice(0, -1)));
    if (issues.length >= MAX_ISSUES || found.length === 0) return issues;
    // The whole cannot be taken out: what is left of it is judged as it is.
    if (!copy.remove([...places.values()].filter((path) => path.length > 0)) || places.has('')) break;
  }
  if (typeof copy.value !== 'object' || copy.value === null) return issues;
  for (const { code, path, message } of check(copy.value as Static<S>)) report(code, path, message);
  return issues;
};

/** The first place that lies deeper than any of the language, if there is one. */
const tooDeep = (value: unknown, path: Path = []): Path | undefined => {
  if (path.length > MAX_DEPTH) return path;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, member] of Object.entries(value)) {
    const found = tooDeep(member, [...path, key]);
    if (found !== undefined) return found;
  }
  return undefined;
};

/**
 * @param text YAML or JSON, one document, no aliases and no tags
 * @throws PolicyErrors (code `KIND.invalid`) with every issue: JSON pointer, line, column, what was expected
 */
export const readDocument = <S extends TSchema>(
  text: string,
  language: Language<S>,
): { readonly document: Static<S>; readonly locate: Locate } => {
  const { kind, validator, maxBytes = MAX_TEXT } = language;
  const refuse = (code: string, message: string, pointer = '', at = { line: 1, column: 1 }): never => {
    throw new PolicyErrors([{ code: `${kind}.${code}`, pointer, ...at, message }], kind);
  };
  if (Buffer.byteLength(text) > maxBytes) refuse('too-large', `a ${kind} has at most ${maxBytes} bytes`);
  const lines = new LineCounter();
  const yaml = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    lineCounter: lines,
    uniqueKeys: false, // see repeatedKeys
    strict: true,
    prettyErrors: false,
    stringKeys: true,
  });
  const errors: readonly Foreign[] =
    yaml.errors.length > 0
      ? yaml.errors.map(({ pos, message }) => ({ place: pos[0], code: 'syntax', message }))
      : [
          ...repeatedKeys(yaml).map((place) => ({ place, code: 'syntax', message: 'Map keys must be unique' }) as const),
          ...foreignParts(yaml),
        ];
  if (errors.length > 0) {
    throw new PolicyErrors(
      errors.slice(0, MAX_ISSUES).map(({ place, code, message }) => {
        const { line, col } = lines.linePos(place);
        return { code: `${kind}.${code}`, pointer: '', line, column: col, message };
      }),
      kind,
    );
  }
  const value: unknown = yaml.toJS({ maxAliasCount: 0 });
  const locate = locator(yaml, lines);
  const deep = tooDeep(value);
  if (deep !== undefined) refuse('too-deep', `a ${kind} has at most ${MAX_DEPTH} levels`, pointerOf(deep), locate(deep));
  const issues = issuesOf(language, value, locate).toSorted((a, b) => a.line - b.line || a.column - b.column);
  if (issues.length > 0 || !validator.Check(value)) throw new PolicyErrors(issues, kind);
  return { document: value, locate };
};
