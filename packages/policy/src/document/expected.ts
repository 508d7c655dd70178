/** What a schema expects at a place, in words. */
import { nearest } from './issues.ts';

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
}

/** Found by walking the schema along the path. */
const nodeAt = (schema: object, path: readonly string[]): SchemaNode => {
  let node: SchemaNode = schema;
  for (const part of path) node = node.items ?? node.properties?.[part] ?? {};
  return node;
};

/** Keys that the schema knows at a place. */
export const knownKeys = (schema: object, path: readonly string[]): string[] => Object.keys(nodeAt(schema, path).properties ?? {});

const list = (values: readonly unknown[]): string => values.map(String).join(', ');

/** @param message what the validator says. @returns the same with what was expected, and the nearest word where a word was expected */
export const expected = (schema: object, path: readonly string[], value: unknown, message: string): string => {
  const { description, enum: words, const: constant } = nodeAt(schema, path);
  const given = JSON.stringify(value) ?? 'nothing';
  const said = given.length > 60 ? `${given.slice(0, 60)}…` : given;
  if (constant !== undefined) return `${said} must be ${JSON.stringify(constant)}`;
  if (words !== undefined) {
    const near = typeof value === 'string' ? nearest(value, words.map(String)) : undefined;
    return `${said} is not one of ${list(words)}${near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`}`;
  }
  if (description !== undefined && message.startsWith('must match')) return `${said} is not understood; expected: ${description}`;
  return `${said} ${message}${description === undefined ? '' : `; expected: ${description}`}`;
};
