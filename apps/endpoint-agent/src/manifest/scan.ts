/** One source file: its calls of `needs`, and the files that it imports. Nothing is run. */
import { parseSync, type CallExpression, type Node } from 'oxc-parser';
import type { PolicyIssue } from '@cordon/policy/document/issues.ts';
import { declarationIssues } from '@cordon/policy/manifest/declaration.ts';
import type { Declaration } from '@cordon/policy/manifest/schema.ts';
import { literalOf, offsetOf } from './literal.ts';

export interface Declared {
  readonly declaration: Declaration;
  /** Where a part of it stands. */
  readonly lineOf: (path: readonly (string | number)[]) => number;
}

export interface Scanned {
  readonly declarations: readonly Declared[];
  /** Relative ones, once each. */
  readonly imports: readonly { readonly specifier: string; readonly line: number; readonly column: number }[];
  readonly issues: readonly PolicyIssue[];
  /** What could not be followed: its needs, if it has any, are not found. */
  readonly notes: readonly PolicyIssue[];
}

/** The helper is a module named needs: this product's, or a project's own copy of it. */
const isHelper = (specifier: string): boolean => /(^|\/)needs(\.[cm]?[jt]s)?$/.test(specifier);

const BY_NAME = 'import it by its name, so that its calls can be found: import { needs } from …';

/** Nodes in which an identifier names a label, a type or a member, never the value of that name. */
const ONLY_NAMES: ReadonlySet<Node['type']> = new Set([
  'ImportSpecifier',
  'LabeledStatement',
  'BreakStatement',
  'ContinueStatement',
  'TSPropertySignature',
  'TSMethodSignature',
  'TSTypeReference',
  'TSTypeQuery',
  'TSQualifiedName',
  'TSNamedTupleMember',
] satisfies Node['type'][]);

/** Whether an identifier is only a name there, not a use of what it names. */
const isOnlyName = (parent: Node, key: string): boolean => {
  if (parent.type === 'MemberExpression') return key === 'property' && !parent.computed;
  if (parent.type === 'ExportSpecifier') return key === 'exported';
  if (
    parent.type === 'Property' ||
    parent.type === 'MethodDefinition' ||
    parent.type === 'PropertyDefinition' ||
    parent.type === 'AccessorProperty'
  )
    return key === 'key' && !parent.computed;
  return ONLY_NAMES.has(parent.type);
};

/** Offsets (UTF-16) to places. */
const placesIn = (text: string): ((offset: number) => { readonly line: number; readonly column: number }) => {
  const starts = [0, ...[...text.matchAll(/\r\n|[\n\r\u2028\u2029]/g)].map((match) => match.index + match[0].length)];
  return (offset) => {
    const line = starts.findLastIndex((start) => start <= offset);
    return { line: line + 1, column: offset - (starts[line] ?? 0) + 1 };
  };
};

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'type' in value;

/** Every node below one, with its parent and the member of the parent that it is. */
const walk = (node: Node, visit: (node: Node, parent: Node, key: string) => void): void => {
  const members: [string, unknown][] = Object.entries(node);
  for (const [key, member] of members) {
    const children: unknown[] = Array.isArray(member) ? member : [member];
    for (const child of children)
      if (isNode(child)) {
        visit(child, node, key);
        walk(child, visit);
      }
  }
};

/** @param file its name says the language: `.ts`, `.tsx`, `.js`, … */
export const scan = (file: string, text: string): Scanned => {
  const { program, module, errors } = parseSync(file, text);
  const placeOf = placesIn(text);
  const declarations: Declared[] = [];
  const imports = new Map<string, Scanned['imports'][number]>();
  const issues: PolicyIssue[] = [];
  const notes: PolicyIssue[] = [];
  const issue = (code: string, offset: number, message: string, pointer = ''): PolicyIssue => ({
    code: `manifest.${code}`,
    ...placeOf(offset),
    pointer,
    message,
  });
  for (const { message, labels } of errors) issues.push(issue('source', labels[0]?.start ?? 0, message));
  const follow = (specifier: string, offset: number): void => {
    if (/^\.{1,2}(\/|$)/.test(specifier) && !imports.has(specifier)) imports.set(specifier, { specifier, ...placeOf(offset) });
    if (specifier.startsWith('#'))
      notes.push(
        issue(
          'not-followed',
          offset,
          `${specifier} is an import of package.json and is not followed; import the file by its relative path`,
        ),
      );
  };

  const helpers = new Set<string>();
  for (const { moduleRequest, entries } of module.staticImports) {
    if (entries.length > 0 && entries.every(({ isType }) => isType)) continue;
    follow(moduleRequest.value, moduleRequest.start);
    if (!isHelper(moduleRequest.value)) continue;
    for (const { importName, localName, isType } of entries) {
      if (isType || (importName.name !== 'needs' && importName.name !== null)) continue;
      if (importName.name === 'needs') helpers.add(localName.value);
      else issues.push(issue('import', localName.start, BY_NAME));
    }
  }
  for (const { entries } of module.staticExports)
    for (const { moduleRequest, isType, start } of entries) {
      if (moduleRequest === null || isType) continue;
      follow(moduleRequest.value, moduleRequest.start);
      if (isHelper(moduleRequest.value))
        issues.push(
          issue('import', start, 'needs is not exported again: its calls are found only where it is imported from its own module'),
        );
    }

  const call = ({ arguments: [first], end }: CallExpression): void => {
    if (first === undefined || first.type === 'SpreadElement') {
      issues.push(
        issue(
          'declaration',
          first?.start ?? end,
          "write what is needed as a literal: needs({ network: { hosts: [{ host: 'api.example.com' }] } }, …)",
        ),
      );
      return;
    }
    const before = issues.length;
    const literal = literalOf(first, text, (computed) => issues.push(issue('computed', computed.start, computed.message)));
    if (issues.length > before) return;
    const { declaration, issues: wrong } = declarationIssues(literal.value, (path, key) => placeOf(offsetOf(literal, path, key)));
    issues.push(...wrong);
    if (declaration !== undefined) declarations.push({ declaration, lineOf: (path) => placeOf(offsetOf(literal, path)).line });
  };
  const reach = (argument: Node | undefined, whole: Node): void => {
    if (argument?.type === 'Literal' && typeof argument.value === 'string') {
      follow(argument.value, argument.start);
      if (isHelper(argument.value)) issues.push(issue('import', argument.start, BY_NAME));
    } else
      notes.push(
        issue('not-followed', whole.start, 'what is loaded here is computed, so it is not followed; its needs are not in the manifest'),
      );
  };
  walk(program, (node, parent, key) => {
    if (node.type === 'ImportExpression') reach(node.source, node);
    if (node.type === 'CallExpression' && node.callee.type === 'Identifier') {
      if (helpers.has(node.callee.name)) call(node);
      if (node.callee.name === 'require') reach(node.arguments[0], node);
    }
    if (
      node.type === 'Identifier' &&
      helpers.has(node.name) &&
      !isOnlyName(parent, key) &&
      !(parent.type === 'CallExpression' && key === 'callee')
    )
      issues.push(
        issue(
          'use',
          node.start,
          `${node.name} can only be called: passed on, renamed or hidden by another thing of its name, its calls would not be found`,
        ),
      );
  });
  // What is exported again is also a use: the first word about a place is enough.
  const once = new Map(issues.toReversed().map((one) => [`${one.line}:${one.column}`, one]));
  const byPlace = (list: Iterable<PolicyIssue>): PolicyIssue[] => [...list].sort((a, b) => a.line - b.line || a.column - b.column);
  return { declarations, imports: [...imports.values()], issues: byPlace(once.values()), notes: byPlace(notes) };
};
