/** A literal of source text as a value, with the places of its parts. What would have to be run to be known is refused. */
import type { Expression, ObjectExpression, ArrayExpression } from 'oxc-parser';

export interface Literal {
  readonly value: unknown;
  /** Offset in the text. */
  readonly start: number;
  /** Of an object or array: its members by key or index, and where their keys stand. */
  readonly members: ReadonlyMap<string, { readonly keyStart: number; readonly literal: Literal }>;
}

/** Something that cannot be taken as it is. */
export interface Computed {
  readonly start: number;
  readonly message: string;
}

const NONE: Literal['members'] = new Map();

/** Takes off what only the type checker reads: `as const`, `satisfies Declaration`, parentheses. */
const bare = (node: Expression): Expression =>
  node.type === 'ParenthesizedExpression' ||
  node.type === 'TSAsExpression' ||
  node.type === 'TSSatisfiesExpression' ||
  node.type === 'TSNonNullExpression' ||
  node.type === 'TSTypeAssertion'
    ? bare(node.expression)
    : node;

/** @param text of the file, for messages. @param refuse is told of each part that is computed */
export const literalOf = (expression: Expression, text: string, refuse: (computed: Computed) => void): Literal => {
  const computed = (node: { readonly start: number; readonly end: number }, hint: string): Literal => {
    const said = text.slice(node.start, node.end);
    refuse({ start: node.start, message: `${JSON.stringify(said.length > 60 ? `${said.slice(0, 60)}…` : said)} is computed; ${hint}` });
    return { value: undefined, start: node.start, members: NONE };
  };
  const object = ({ properties, start }: ObjectExpression): Literal => {
    const members = new Map<string, { readonly keyStart: number; readonly literal: Literal }>();
    for (const property of properties) {
      if (property.type === 'SpreadElement') computed(property, 'write its members here');
      else if (property.kind !== 'init' || property.method || property.computed) computed(property, 'write a key, a colon and a value');
      else {
        const { key } = property;
        const name = key.type === 'Identifier' ? key.name : key.type === 'Literal' && typeof key.value === 'string' ? key.value : undefined;
        if (name === undefined) computed(key, 'write the key as a name');
        else if (members.has(name)) refuse({ start: key.start, message: `${JSON.stringify(name)} stands here twice` });
        else members.set(name, { keyStart: key.start, literal: literal(property.value) });
      }
    }
    return { value: Object.fromEntries([...members].map(([name, member]) => [name, member.literal.value])), start, members };
  };
  const array = ({ elements, start, end }: ArrayExpression): Literal => {
    const items = elements.map((element) => {
      if (element === null) return computed({ start, end }, 'write every element');
      return element.type === 'SpreadElement' ? computed(element, 'write its elements here') : literal(element);
    });
    const members = new Map(items.map((item, i) => [String(i), { keyStart: item.start, literal: item }]));
    return { value: items.map(({ value }) => value), start, members };
  };
  const literal = (wrapped: Expression): Literal => {
    const node = bare(wrapped);
    const { start } = node;
    if (node.type === 'ObjectExpression') return object(node);
    if (node.type === 'ArrayExpression') return array(node);
    if (node.type === 'Literal' && !('regex' in node) && !('bigint' in node)) return { value: node.value, start, members: NONE };
    if (node.type === 'TemplateLiteral')
      return node.expressions.length > 0
        ? computed(node, "write it in quotes: between backticks ${…} is JavaScript's, in quotes it is Cordon's variable")
        : { value: node.quasis[0]?.value.cooked, start, members: NONE };
    return computed(node, 'the manifest is made without running the program, so write the value itself here');
  };
  return literal(expression);
};

/** @returns the offset of a part: of its key if one is named, else of its value, else of the nearest part that has one */
export const offsetOf = (literal: Literal, path: readonly (string | number)[], key?: string): number => {
  let at = literal;
  for (const part of path) {
    const member = at.members.get(String(part));
    if (member === undefined) return at.start;
    at = member.literal;
  }
  return key === undefined ? at.start : (at.members.get(key)?.keyStart ?? at.start);
};
