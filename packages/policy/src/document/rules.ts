/** Stable ids: a rule keeps its id in every revision that contains it unchanged, wherever it stands. */
import { canonicalJson } from '../trust/canonical-json.ts';
import { sha256Hex } from '../trust/digest.ts';
import type { Effect } from '../effective.ts';

/** Beside the three verbs: statements of which the strictest counts. */
export type RuleKind = Effect | 'setting';

/** @returns `r_` and 12 hex digits over what the rule says and whose it is */
export const ruleId = (policy: string, effect: RuleKind, section: string, rule: unknown): string =>
  `r_${sha256Hex(canonicalJson([policy, effect, section, rule])).slice(0, 12)}`;
