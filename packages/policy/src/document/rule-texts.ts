/** The rules of a document by their ids, with what each says: for whoever names one. */
import type { PolicyDocument } from './schema.ts';
import { prepareDocument } from './prepare.ts';
import { ruleId, type RuleKind } from './rules.ts';

export interface RuleText {
  readonly kind: RuleKind;
  /** `deny network.hosts {"host":"*.pastebin.com"}` */
  readonly text: string;
}

/** @param policy whose rules they are: it goes into their ids. @throws CordonError as `prepareDocument` */
export const ruleTexts = (policy: string, document: PolicyDocument): ReadonlyMap<string, RuleText> => {
  const found = new Map<string, RuleText>();
  prepareDocument(document, policy, policy, (kind, section, rule) => {
    const id = ruleId(policy, kind, section, rule);
    found.set(id, { kind, text: `${kind} ${section} ${typeof rule === 'string' ? rule : JSON.stringify(rule)}` });
    return { rule: id, source: 'policy', policy, revision: 1, because: [] };
  });
  return found;
};
