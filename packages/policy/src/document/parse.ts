/** Policy text to document, strictly: YAML 1.2 or JSON, every error with its place. */
import { Compile } from 'typebox/compile';
import { isMap, LineCounter, parseDocument, type Document } from 'yaml';
import { checkDocument } from './check.ts';
import { nearest, PolicyErrors, type PolicyIssue } from './issues.ts';
import { PolicyDocument } from './schema.ts';

const MAX_TEXT = 262_144;
const MAX_DEPTH = 16;
const validator = Compile(PolicyDocument);

const pointerOf = (path: readonly (string | number)[]): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
const pathOf = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

type Locate = (path: readonly (string | number)[], key?: string) => { line: number; column: number };

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

/** Keys that the schema knows at a place; found by walking it along the path. */
const knownKeys = (path: readonly string[]): string[] => {
  let schema: { properties?: Record<string, object>; items?: object } = PolicyDocument;
  for (const part of path) schema = schema.items ?? schema.properties?.[part] ?? {};
  return Object.keys(schema.properties ?? {});
};

const schemaIssues = (value: unknown, locate: Locate): PolicyIssue[] =>
  [...validator.Errors(value)].flatMap((error) => {
    const path = pathOf(error.instancePath);
    const issue = (code: string, at: readonly string[], message: string, key?: string): PolicyIssue => ({
      code,
      pointer: pointerOf(key === undefined ? at : [...at, key]),
      ...locate(at, key),
      message,
    });
    if (error.keyword === 'additionalProperties') {
      return error.params.additionalProperties.map((key) => {
        const near = nearest(key, knownKeys(path));
        return issue(
          'policy.unknown-key',
          path,
          `${JSON.stringify(key)} is not known here${near === undefined ? `; there are: ${knownKeys(path).join(', ')}` : `; did you mean ${JSON.stringify(near)}?`}`,
          key,
        );
      });
    }
    if (error.keyword === 'required')
      return error.params.requiredProperties.map((key) => issue('policy.missing-key', path, `${JSON.stringify(key)} is missing`));
    // Errors below a closed member repeat what additionalProperties says.
    if (error.keyword === 'boolean') return [];
    return [issue('policy.value', path, error.message)];
  });

const depthOf = (value: unknown, depth = 0): number => {
  if (depth > MAX_DEPTH || typeof value !== 'object' || value === null) return depth;
  return Math.max(depth, ...Object.values(value).map((member) => depthOf(member, depth + 1)));
};

/**
 * @param text YAML or JSON, at most 256 KiB, one document, no aliases
 * @throws PolicyErrors (code `policy.invalid`) with every issue: JSON pointer, line, column, what was expected
 */
export const parsePolicy = (text: string): { readonly document: PolicyDocument } => {
  const fail = (code: string, message: string, line = 1, column = 1): never => {
    throw new PolicyErrors([{ code, pointer: '', line, column, message }]);
  };
  if (Buffer.byteLength(text) > MAX_TEXT) fail('policy.too-large', `a policy has at most ${MAX_TEXT} bytes`);
  const lines = new LineCounter();
  const yaml = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    lineCounter: lines,
    uniqueKeys: true,
    strict: true,
    prettyErrors: false,
    stringKeys: true,
  });
  if (yaml.errors.length > 0) {
    throw new PolicyErrors(
      yaml.errors.map((error) => {
        const { line, col } = lines.linePos(error.pos[0]);
        return { code: 'policy.syntax', pointer: '', line, column: col, message: error.message };
      }),
    );
  }
  let value: unknown;
  try {
    value = yaml.toJS({ maxAliasCount: 0 });
  } catch {
    return fail('policy.alias', 'anchors and aliases are not understood; write the value where it is meant');
  }
  if (depthOf(value) > MAX_DEPTH) fail('policy.too-deep', `a policy has at most ${MAX_DEPTH} levels`);
  const locate = locator(yaml, lines);
  if (!validator.Check(value)) throw new PolicyErrors(schemaIssues(value, locate));
  const findings = checkDocument(value);
  if (findings.length > 0)
    throw new PolicyErrors(findings.map(({ code, path, message }) => ({ code, pointer: pointerOf(path), ...locate(path), message })));
  return { document: value };
};
