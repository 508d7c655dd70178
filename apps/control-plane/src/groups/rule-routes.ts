/** Rules of groups: who would be in one, before it is saved, and the question whether really everyone is meant. */
import { MAX_FILTER } from '@cordon/policy/filter/tokens.ts';
import { writeFilter } from '@cordon/policy/filter/write.ts';
import { Type } from 'typebox';
import type { Feature, Tx } from '../context.ts';
import { badRequest, conflict } from '../errors.ts';
import { countMatched } from './rule-store.ts';
import { parseRule, RULE_FIELDS } from './rule.ts';

const closed = { additionalProperties: false } as const;
export const Rule = Type.String({
  minLength: 1,
  maxLength: MAX_FILTER,
  description: `A filter over ${Object.keys(RULE_FIELDS).join(', ')}: os = linux and agentVersion < 1.4`,
});
export const Confirm = Type.Literal('everything', { description: 'Yes, the rule is meant to match every device' });

export const ruleIsOpen = badRequest(
  'group.rule-open',
  'a group with a rule is open: devices come and go by what they say of themselves, so nobody can approve its members one by one',
  '/membership',
);

/** @throws Refusal group.matches-everything */
export const askWhetherEveryone = async (tx: Tx, rule: string, at: Date, confirm: 'everything' | undefined): Promise<void> => {
  if (confirm !== undefined) return;
  const { devices, of } = await countMatched(tx, parseRule(rule), at);
  if (of > 0 && devices === of)
    throw conflict(
      'group.matches-everything',
      `this rule matches all ${of} devices there are: narrow it, use the group "All devices", or send "confirm": "everything" if that is meant`,
    );
};

const Preview = Type.Object(
  {
    rule: Type.String({ description: 'As it would be saved' }),
    devices: Type.Integer({ description: 'How many it matches' }),
    of: Type.Integer({ description: 'How many there are' }),
    sample: Type.Array(Type.Object({ id: Type.String(), name: Type.String() }, closed)),
  },
  closed,
);

export const registerGroupRules: Feature = (app, { prisma, clock }) => {
  app.post(
    '/groups/preview',
    {
      config: { permission: 'groups.read' },
      schema: {
        tags: ['groups'],
        summary: 'Who would be in a group with this rule: how many, and some of them by name. Nothing is saved',
        body: Type.Object({ rule: Rule }, closed),
        response: { 200: Preview },
      },
    },
    async (request) => {
      const rule = parseRule(request.body.rule);
      const { devices, of, sample } = await countMatched(prisma, rule, clock());
      return { rule: writeFilter(rule), devices, of, sample: [...sample] };
    },
  );
};
