/** What is open through the proxy of one run: under new rules each is judged again, and only what they do not allow any more is cut. */
import type { Rules } from './rules.ts';

export interface Held {
  /** Whether it would be let through now. */
  readonly stands: (rules: Rules) => boolean;
  readonly cut: (why: Cut) => void;
}

/** What is told of a connection that was cut. */
export interface Cut {
  readonly rule: string;
  readonly code: string;
}

const NEW_RULES: Cut = { rule: 'new-rules', code: 'egress.cut' };

export interface Holding {
  /** @returns what lets go of it */
  hold(held: Held): () => void;
  judgeAgain(rules: Rules): void;
  cutAll(why: Cut): void;
}

export const createHolding = (): Holding => {
  const all = new Set<Held>();
  const cut = (held: Held, why: Cut): void => {
    all.delete(held);
    held.cut(why);
  };
  return {
    hold: (held) => {
      all.add(held);
      return () => void all.delete(held);
    },
    judgeAgain: (rules) => {
      for (const held of all) if (!held.stands(rules)) cut(held, NEW_RULES);
    },
    cutAll: (why) => [...all].forEach((held) => cut(held, why)),
  };
};
