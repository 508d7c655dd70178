/**
 * The one filter grammar, for lists, dynamic groups and commands: what a filter is once it is understood. Pure data.
 *
 *     filter     = and { "or" and }
 *     and        = not { "and" not }
 *     not        = "not" not | "(" filter ")" | comparison
 *     comparison = field ( "=" | "!=" | "<" | "<=" | ">" | ">=" | "contains" | "startsWith" ) value
 *                | field "in" "(" value { "," value } ")"
 *                | field "is" ( "known" | "unknown" )
 *     value      = word | '"' text '"' | "now" [ ( "-" | "+" ) duration ]
 */

/** `set` holds texts; a `version` is ordered by its numbers; a `time` is an instant. */
export type FieldKind = 'text' | 'word' | 'version' | 'time' | 'number' | 'flag' | 'set';

export interface Field {
  readonly kind: FieldKind;
  /** What a reader of the documentation is told. */
  readonly description: string;
  /** Of a `word`: all that there are. */
  readonly words?: readonly string[];
  /** Whether whoever is filtered says it of itself, unproved. */
  readonly selfReported?: boolean;
}

/** What can be asked of one kind of thing, by name. */
export type Fields = Readonly<Record<string, Field>>;

export const ORDER = ['=', '!=', '<', '<=', '>', '>='] as const;
export type Operator = (typeof ORDER)[number] | 'contains' | 'startsWith';

/** An instant, or one that moves with the clock: so many milliseconds from now. */
export type TimeValue = { readonly at: number } | { readonly fromNow: number };
export type Value = string | number | boolean | TimeValue;

export type Filter =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Filter[] }
  | { readonly kind: 'not'; readonly of: Filter }
  | { readonly kind: 'compare'; readonly field: string; readonly operator: Operator; readonly value: Value }
  | { readonly kind: 'in'; readonly field: string; readonly values: readonly Value[] }
  | { readonly kind: 'known'; readonly field: string };

/** What an operator may be asked of. */
export const OPERATORS: Readonly<Record<FieldKind, readonly (Operator | 'in')[]>> = {
  text: ['=', '!=', 'in', 'contains', 'startsWith'],
  word: ['=', '!=', 'in'],
  version: [...ORDER, 'in'],
  time: ['<', '<=', '>', '>='],
  number: [...ORDER, 'in'],
  flag: ['=', '!='],
  set: ['contains'],
};

/** The parts of a filter that ask one thing each. */
const leaves = (filter: Filter): readonly Exclude<Filter, { parts: unknown } | { of: unknown }>[] => {
  if ('parts' in filter) return filter.parts.flatMap(leaves);
  return 'of' in filter ? leaves(filter.of) : [filter];
};

export const fieldsOf = (filter: Filter): ReadonlySet<string> => new Set(leaves(filter).map(({ field }) => field));

/** Whether it means something else later by the clock alone. */
export const movesWithTime = (filter: Filter): boolean =>
  leaves(filter).some((leaf) => leaf.kind === 'compare' && typeof leaf.value === 'object' && 'fromNow' in leaf.value);
