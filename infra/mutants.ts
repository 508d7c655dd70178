/** Source text with one check taken out: what `mutate-verify.ts` runs the tests against. Works on the text, by balanced brackets, and knows how this code refuses. */

export interface Mutant {
  readonly text: string;
  readonly line: number;
  /** What was there, and what is there instead. */
  readonly from: string;
  readonly to: string;
}

const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/** The end of the string, template, expression or comment that begins at `at`, or `at` itself. */
const skip = (text: string, at: number): number => {
  const char = text[at] ?? '';
  if (text.startsWith('//', at)) return text.indexOf('\n', at);
  if (text.startsWith('/*', at)) return text.indexOf('*/', at) + 2;
  if (char === "'" || char === '"' || char === '`') {
    for (let i = at + 1; i < text.length; i += 1) {
      if (text[i] === '\\') i += 1;
      else if (char === '`' && text.startsWith('${', i)) i = closing(text, i + 1);
      else if (text[i] === char) return i + 1;
    }
  }
  // A regular expression follows what no division can follow.
  if (char === '/' && /[(=,:[!&|?{};]\s*$/.test(text.slice(Math.max(0, at - 4), at)))
    for (let i = at + 1, inside = false; i < text.length; i += 1) {
      if (text[i] === '\\') i += 1;
      else if (text[i] === '[') inside = true;
      else if (text[i] === ']') inside = false;
      else if (text[i] === '/' && !inside) return i + 1;
    }
  return at;
};

/** The place of the bracket that closes the one at `at`. */
const closing = (text: string, at: number): number => {
  const stack: string[] = [];
  for (let i = at; i < text.length; i += 1) {
    const after = skip(text, i);
    if (after > i) {
      i = after - 1;
      continue;
    }
    const char = text[i] ?? '';
    if (CLOSING[char] !== undefined) stack.push(CLOSING[char]);
    else if (char === stack.at(-1)) {
      stack.pop();
      if (stack.length === 0) return i;
    }
  }
  throw new Error(`nothing closes the bracket at ${at}`);
};

/** Pieces between a separator that stands outside all brackets, with their places. */
const split = (text: string, separator: string): { readonly piece: string; readonly at: number }[] => {
  const found: { piece: string; at: number }[] = [];
  let begin = 0;
  for (let i = 0; i < text.length; i += 1) {
    const after = skip(text, i);
    if (after > i) i = after - 1;
    else if (CLOSING[text[i] ?? ''] !== undefined) i = closing(text, i);
    else if (text.startsWith(separator, i)) {
      found.push({ piece: text.slice(begin, i), at: begin });
      i += separator.length - 1;
      begin = i + 1;
    }
  }
  return [...found, { piece: text.slice(begin), at: begin }];
};

/**
 * Conditions that hold more often: the whole, and each part that is joined to it. A condition that accepts is weakened to true where its parts are joined by `&&`,
 * one that refuses to false where they are joined by `||`.
 */
const weaker = (condition: string, constant: 'true' | 'false'): string[] => {
  const [joint, other] = constant === 'true' ? ['&&', '||'] : ['||', '&&'];
  const trimmed = condition.trim();
  if (trimmed.startsWith('(') && closing(trimmed, 0) === trimmed.length - 1)
    return weaker(trimmed.slice(1, -1), constant).map((inner) => (inner === constant ? constant : `(${inner})`));
  const within = (separator: string): string[] => {
    const parts = split(condition, separator);
    if (parts.length < 2) return [];
    return parts.flatMap(({ piece, at }) =>
      weaker(piece, constant)
        .filter((one) => separator === joint || one !== constant)
        .map((one) => `${condition.slice(0, at)} ${one} ${condition.slice(at + piece.length)}`),
    );
  };
  // The weaker joint first: a || b && c is a || (b && c).
  return [constant, ...(split(condition, '||').length > 1 ? within('||') : within(joint === '||' ? other : joint))];
};

/** A check that no pattern finds: a text and what stands for it, and the refusal that it leads to, if that is elsewhere. */
export interface Literal {
  readonly from: string;
  readonly to: string;
  readonly refusal?: string;
}

interface Range {
  readonly begin: number;
  readonly end: number;
}

/** Every check of a source that can be taken out, and the refusals that none of them reaches. */
export const mutantsOf = (
  text: string,
  literals: readonly Literal[],
): { readonly mutants: readonly Mutant[]; readonly unreached: readonly string[] } => {
  const mutants: Mutant[] = [];
  const reached = new Set<number>();
  const lineOf = (at: number): number => text.slice(0, at).split('\n').length;
  const replace = ({ begin, end }: Range, to: string): void => {
    mutants.push({ text: text.slice(0, begin) + to + text.slice(end), line: lineOf(begin), from: text.slice(begin, end), to });
  };
  const weaken = (range: Range, constant: 'true' | 'false'): void => {
    for (const to of new Set(weaker(text.slice(range.begin, range.end), constant))) replace(range, to);
  };
  const each = (pattern: RegExp, visit: (match: RegExpExecArray) => void): void => {
    for (const match of text.matchAll(pattern)) visit(match);
  };

  // demand(CONDITION, code, message)
  each(/\bdemand\((?!held)/g, ({ index, 0: call }) => {
    const begin = index + call.length;
    const first = split(text.slice(begin, closing(text, begin - 1)), ',')[0]?.piece ?? '';
    weaken({ begin, end: begin + first.length }, 'true');
    reached.add(index);
  });
  // if (CONDITION) refuse(…), return refuse(…), throw new CordonError(…), return false, or return undefined
  each(/\bif \(/g, ({ index, 0: word }) => {
    const open = index + word.length - 1;
    const end = closing(text, open);
    const then = /^\)\s*\{?\s*(?:return )?(refuse\(|throw new CordonError\(|false;|undefined;)/.exec(text.slice(end));
    if (then === null) return;
    weaken({ begin: open + 1, end }, 'false');
    reached.add(end + then[0].length - (then[1] ?? '').length);
  });
  // CONDITION ? value : refuse(…)
  each(/([\w.!]+(?:\([^()]*\))?)\s*\?\s*\w+\s*:\s*refuse\(/g, ({ index, 0: all, 1: condition = '' }) => {
    replace({ begin: index, end: index + condition.length }, 'true');
    reached.add(index + all.length - 'refuse('.length);
  });
  // value ?? refuse(…), and what is refused when a promise is
  each(/ \?\? (refuse\()/g, ({ index, 0: all }) => {
    replace({ begin: index, end: closing(text, index + all.length - 1) + 1 }, '');
    reached.add(index + ' ?? '.length);
  });
  each(/=>\s*(refuse\()/g, ({ index, 0: all }) => {
    const begin = index + all.length - 'refuse('.length;
    replace({ begin, end: closing(text, index + all.length - 1) + 1 }, 'undefined');
    reached.add(begin);
  });
  // return A === B && C
  each(/\breturn ([^;{}]*===[^;{}]*);/g, ({ index, 1: condition = '' }) => {
    const begin = index + 'return '.length;
    weaken({ begin, end: begin + condition.length }, 'true');
  });
  for (const { from, to, refusal } of literals) {
    const begin = text.indexOf(from);
    if (begin === -1) throw new Error(`nothing reads ${from} any more`);
    replace({ begin, end: begin + from.length }, to);
    if (refusal !== undefined) reached.add(text.indexOf(refusal));
  }

  // The helpers that refuse are no checks themselves.
  const helpers: Range[] = [...text.matchAll(/const (?:refuse|demand)\b[^=]*=(?:[^=>]|=(?!>))*=> \{/g)].map(({ index, 0: head }) => ({
    begin: index,
    end: closing(text, index + head.length - 1),
  }));
  const isHelper = (at: number): boolean => helpers.some(({ begin, end }) => at >= begin && at <= end);
  const unreached = [...text.matchAll(/(?<!const )\b(?:refuse|demand)\(|\bthrow new CordonError\(/g)]
    .filter(({ index }) => !reached.has(index) && !isHelper(index))
    .map(({ index }) => `${lineOf(index)}: ${text.slice(index, text.indexOf('\n', index)).trim()}`);
  return { mutants, unreached };
};
