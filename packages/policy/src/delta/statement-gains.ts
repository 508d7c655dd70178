/** Power without a place: rights, names, and statements of which the strictest counts. */
import { isLoaderVariable } from '../builtin.ts';
import { EXPIRIES, ISOLATIONS, PRIVACY, RIGHTS, UNCONTAINED, type Resources, type Right, type RuleOrigin } from '../effective.ts';
import type { Category, Gain } from './entry.ts';
import { difference, type Side } from './side.ts';

const CATEGORY_OF: Readonly<Record<Right, Category>> = {
  'ui.windows': 'ui.windows',
  'ui.clipboard.read': 'ui.clipboard',
  'ui.clipboard.write': 'ui.clipboard',
  'ui.input-injection': 'ui.input-injection',
  'network.ingress': 'network.ingress',
  'network.host-loopback': 'network.host-loopback',
};

const rightGains = (more: Side, less: Side): readonly Gain[] =>
  RIGHTS.map((right) => ({ right, has: more.decider.right(right), had: less.decider.right(right) }))
    .filter(({ has, had }) => has.verdict === 'allowed' && had.verdict === 'denied')
    .map(({ right, has, had }) => ({ category: CATEGORY_OF[right], target: right, what: '', ...difference(has, had, less) }));

const variableGains = (more: Side, less: Side): readonly Gain[] =>
  [...new Set(more.effective.environment.map(({ name }) => name))]
    .map((name) => ({ name, has: more.decider.variable(name), had: less.decider.variable(name) }))
    .filter(({ has, had }) => has.verdict === 'allowed' && had.verdict === 'denied')
    .map(({ name, has, had }) => ({
      category: 'environment',
      target: name,
      what: isLoaderVariable(name) ? 'passed on, and it changes what programs load or run' : '',
      ...difference(has, had, less),
    }));

const identityGains = (more: Side, less: Side): readonly Gain[] => {
  if (!more.starts) return [];
  const had = new Set(less.starts ? less.effective.identity.map(({ host }) => host) : []);
  return [...new Map(more.effective.identity.map((rule) => [rule.host, rule])).values()]
    .filter(({ host }) => !had.has(host))
    .map(({ host, origin }) => ({
      category: 'identity',
      target: host,
      what: '',
      cause: less.starts ? 'allow' : 'launch',
      by: origin,
      more: `receives the identity of the run by rule ${origin.rule} of ${origin.policy}`,
      less: 'does not receive it',
    }));
};

const workspaceGains = ({ effective: more }: Side, { effective: less }: Side): readonly Gain[] =>
  more.workspace.allowed && !less.workspace.allowed
    ? [
        {
          category: 'workspace',
          target: 'workspace',
          what: '',
          cause: 'statement',
          by: undefined,
          more: 'permitted',
          less: less.workspace.why,
        },
      ]
    : [];

const launchGains = ({ effective: { refused, subject } }: Side): Gain => ({
  category: 'launch',
  target: subject.agent.id,
  what: '',
  cause: 'launch',
  by: refused?.origin,
  more: `agent ${subject.agent.id} of user ${subject.user} may start`,
  less: refused?.message ?? '',
});

/** A statement of which a place in an order counts. `rank`: higher is more power. */
interface Statement {
  readonly category: Category;
  readonly target: string;
  readonly rank: (side: Side) => number;
  readonly text: (side: Side) => string;
  /** Who states what is stricter. */
  readonly by?: (side: Side) => RuleOrigin | undefined;
}

const resource = (target: string, key: keyof Resources, unit: string): Statement => ({
  category: 'resources',
  target,
  rank: ({ effective }) => effective.resources[key]?.value ?? Number.POSITIVE_INFINITY,
  text: ({ effective }) => {
    const stated = effective.resources[key];
    return stated === undefined ? 'no limit' : `at most ${stated.value} ${unit}`;
  },
  by: ({ effective }) => effective.resources[key]?.origin,
});

const ofRun: readonly Statement[] = [
  resource('timeout', 'timeoutMs', 'ms'),
  resource('memory', 'memoryBytes', 'bytes'),
  resource('cpu', 'cpus', 'processors'),
  resource('processes', 'processes', 'processes'),
  resource('upload', 'uploadBytes', 'bytes'),
  resource('download', 'downloadBytes', 'bytes'),
  {
    category: 'isolation',
    target: 'isolation',
    rank: ({ effective }) => -ISOLATIONS.indexOf(effective.settings.isolation?.value ?? ISOLATIONS[0]),
    text: ({ effective }) => `at least ${effective.settings.isolation?.value ?? ISOLATIONS[0]}`,
    by: ({ effective }) => effective.settings.isolation?.origin,
  },
];

/** These hold whether or not anything may start: they are about what runs already, and about what runs uncontained. */
const always: readonly Statement[] = [
  {
    category: 'expiry',
    target: 'onExpiry',
    rank: ({ effective }) => -EXPIRIES.indexOf(effective.settings.onExpiry),
    text: ({ effective }) => effective.settings.onExpiry,
  },
  {
    category: 'grace',
    target: 'grace',
    rank: ({ effective }) => effective.settings.graceMs,
    text: ({ effective }) => `${effective.settings.graceMs} ms`,
  },
  {
    category: 'uncontained',
    target: 'uncontained',
    rank: ({ effective }) => -UNCONTAINED.indexOf(effective.settings.uncontained),
    text: ({ effective }) => effective.settings.uncontained,
  },
  ...(['paths', 'hosts', 'users'] as const).map((what): Statement => ({
    category: 'privacy',
    target: `privacy.${what}`,
    rank: ({ effective }) => -(PRIVACY[what] as readonly string[]).indexOf(effective.settings.privacy[what]),
    text: ({ effective }) => effective.settings.privacy[what],
  })),
];

const requiredGains = (more: Side, less: Side): readonly Gain[] =>
  less.effective.required
    .filter((control) => !more.effective.required.includes(control))
    .map((control) => ({
      category: 'required',
      target: control,
      what: '',
      cause: 'statement',
      by: undefined,
      more: 'may start where it is not truly enforced',
      less: 'must be truly enforced',
    }));

export const statementGains = (more: Side, less: Side): readonly Gain[] => {
  const weaker = (statements: readonly Statement[]): readonly Gain[] =>
    statements
      .filter(({ rank }) => rank(more) > rank(less))
      .map(({ category, target, text, by }) => ({
        category,
        target,
        what: '',
        cause: 'statement',
        by: by?.(less),
        more: text(more),
        less: text(less),
      }));
  if (!more.starts) return weaker(always);
  const had = [...rightGains(more, less), ...variableGains(more, less), ...identityGains(more, less), ...workspaceGains(more, less)];
  // What bounds a run that could not start bounds nothing.
  return less.starts
    ? [...had, ...requiredGains(more, less), ...weaker([...ofRun, ...always])]
    : [launchGains(less), ...had, ...weaker(always)];
};
