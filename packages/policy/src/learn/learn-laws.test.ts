import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitrarySystem } from '../_arbitrary-policy.ts';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../_laws.ts';
import { NEVER_GRANT } from '../builtin.ts';
import { createDecider, type Decider } from '../decide/decider.ts';
import { parsePolicy } from '../document/parse.ts';
import { preparePolicy } from '../document/prepare.ts';
import { expandPath, parsePathText } from '../document/variables.ts';
import type { PolicyDocument } from '../document/schema.ts';
import type { OperatingSystem, PathVariables } from '../effective.ts';
import { canonicalHost } from '../match/host.ts';
import { canonicalPath } from '../match/path.ts';
import { resolve } from '../resolve.ts';
import type { RecordedAccess } from '../simulate/recorded.ts';
import { learn } from './learn.ts';
import { documentOf } from './replay.ts';
import type { LearnOptions } from './proposal.ts';

const native = (path: string, os: OperatingSystem): string => (os === 'windows' ? `C:${path.replaceAll('/', '\\')}` : path);
const HOMES: Readonly<Record<OperatingSystem, string>> = { linux: '/home', macos: '/Users', windows: '/Users' };

/** Each user has a home of their own; one works in it, one outside, one where no workspace may be. */
const variablesFor = ({ os, osUser }: { os: OperatingSystem; osUser: string }): PathVariables | undefined => {
  const home = `${HOMES[os]}/${osUser}`;
  const workspace = { ann: `${home}/src/app`, bob: '/proj/app', eve: home }[osUser];
  if (workspace === undefined) return undefined;
  return {
    home: native(home, os),
    workspace: native(workspace, os),
    tmp: native('/private/run', os),
    tools: [native('/opt', os), native(`${home}/tools`, os)],
    agent: [native(`${home}/.agent`, os)],
  };
};

const NAMES = ['a', 'b', 'c', 'B', 'x*', 'o.', '.config', '.ssh', '.git', 'hooks', '.npmrc', 'gh', 'src', 'app', 'tools', 't'];
const ROOTS = [
  '~',
  '~/src/app',
  '/proj/app',
  '/opt',
  '~/tools',
  '~/.agent',
  '/srv',
  '/srv/d',
  '/private/run',
  '/usr/share',
  '/run',
  '',
  '/home',
  '/home/bob',
];
const HOSTS = [
  'api.example.com',
  'a.example.com',
  'b.example.com',
  'c.example.com',
  'example.com',
  'x.github.io',
  'y.github.io',
  'github.io',
  '1.cdn.net',
  '2.cdn.net',
  '10.1.2.3',
  '8.8.8.8',
  '2600::1',
  'intranet',
  'build.internal',
  'API.example.com.',
  '127.1',
  '',
];
const who = {
  device: fc.constantFrom('d1', 'd2', 'd3', 'd4'),
  agent: fc.constantFrom('claude-code', 'claude-code', 'claude-code', 'codex'),
  proof: fc.constantFrom('proven' as const, 'proven' as const, 'proven' as const, 'claimed' as const),
  osUser: fc.constantFrom('ann', 'bob', 'eve', 'unknown'),
};
const someEvent: fc.Arbitrary<RecordedAccess> = arbitrarySystem.chain((os) =>
  fc.oneof(
    fc.record(
      {
        kind: fc.constant('egress' as const),
        ...who,
        os: fc.constant(os),
        host: fc.constantFrom(...HOSTS),
        port: fc.constantFrom(443, 443, 443, 22, 80, 0),
        verdict: fc.constantFrom('allowed' as const, 'denied' as const),
        code: fc.constantFrom('egress.private', 'egress.denied', 'egress.denied', 'egress.denied'),
      },
      { requiredKeys: ['kind', 'device', 'agent', 'osUser', 'os', 'host', 'port', 'verdict'] },
    ),
    fc
      .record({
        kind: fc.constant('file' as const),
        ...who,
        os: fc.constant(os),
        root: fc.constantFrom(...ROOTS),
        rest: fc.array(fc.constantFrom(...NAMES), { maxLength: 3 }),
        access: fc.constantFrom('read' as const, 'write' as const),
      })
      .map(({ root, rest, ...event }): RecordedAccess => ({
        ...event,
        path: native([root.replace('~', `${HOMES[os]}/${event.osUser}`), ...rest].join('/') || '/', os),
      })),
  ),
);
const someOptions: fc.Arbitrary<LearnOptions> = fc.record(
  {
    name: fc.constant('learned'),
    agents: fc.constant(['claude-code']),
    minDevices: fc.integer({ min: 1, max: 3 }),
    minSiblings: fc.integer({ min: 2, max: 4 }),
    minSubdomains: fc.integer({ min: 2, max: 4 }),
    privateHosts: fc.boolean(),
    variablesFor: fc.constant(variablesFor),
  },
  { requiredKeys: ['name', 'minDevices', 'minSiblings', 'minSubdomains', 'variablesFor'] },
);
const someEvents = fc.array(someEvent, { maxLength: 80, size: 'max' });

const decidersOf = (document: PolicyDocument): ((os: OperatingSystem, variables: PathVariables) => Decider) => {
  const policies = [preparePolicy({ policy: 'p', name: 'p', revision: 1, because: [], document })];
  const known = new Map<string, Decider>();
  return (os, variables) => {
    const key = JSON.stringify([os, variables]);
    const made =
      known.get(key) ??
      createDecider(
        resolve({ policies, floor: undefined, subject: { agent: { id: 'claude-code', proof: 'proven' }, user: 'ann', os }, variables }),
      );
    known.set(key, made);
    return made;
  };
};

/** Asked by itself: which events the document allows, and whether it is one of its own rules that does. */
const allowedBy = (document: PolicyDocument): ((event: RecordedAccess) => 'rule' | 'built-in' | undefined) => {
  const deciderFor = decidersOf(document);
  return (event) => {
    const variables = variablesFor(event);
    if (event.kind === 'file') {
      if (variables === undefined || (event.os === 'windows' && /\.(\\|$)/.test(event.path))) return undefined;
      const path = canonicalPath(event.path, event.os);
      const { denies, allows } = deciderFor(event.os, variables).paths.judged(path, event.access);
      if (denies.length > 0 || allows.length === 0) return undefined;
      return allows.some(({ source }) => source === 'builtin') ? 'built-in' : 'rule';
    }
    const usual = variables ?? variablesFor({ os: event.os, osUser: 'ann' });
    if (usual === undefined || event.port === 0 || event.host === '' || event.host === '127.1') return undefined;
    const judged = deciderFor(event.os, usual).egress.judged(canonicalHost(event.host), event.port);
    const isPrivate = event.code === 'egress.private' || ['10.1.2.3', 'intranet', 'build.internal'].includes(event.host);
    return judged.allows.length > 0 && (!isPrivate || judged.private) ? 'rule' : undefined;
  };
};

const counts = (event: RecordedAccess, options: LearnOptions): boolean =>
  event.proof !== 'claimed' && (options.agents === undefined || options.agents.includes(event.agent));
const law = { numRuns: LAW_RUNS };

describe('a proposal', () => {
  it(
    'is a policy that parses, and the same whatever the order of the attempts',
    () => {
      fc.assert(
        fc.property(someEvents, someOptions, (events, options) => {
          const proposal = learn(events, options);
          expect(parsePolicy(JSON.stringify(proposal.document)).document).toEqual(proposal.document);
          expect(learn(events.toReversed(), options)).toEqual(proposal);
        }),
        law,
      );
    },
    LAW_TIMEOUT_MS * 4,
  );

  it(
    'never allows what is never granted, on no system and for no user, and passes on no variable',
    () => {
      fc.assert(
        fc.property(someEvents, someOptions, (events, options) => {
          const { document } = learn(events, options);
          const deciderFor = decidersOf(document);
          for (const os of ['linux', 'macos', 'windows'] as const)
            for (const osUser of ['ann', 'bob', 'eve']) {
              const variables = variablesFor({ os, osUser });
              if (variables === undefined) throw new Error('the user has none');
              const decider = deciderFor(os, variables);
              const never = NEVER_GRANT[os].flatMap((text) => expandPath(parsePathText(text), variables, os));
              for (const path of never) expect([path, decider.path(path, 'read').verdict]).toEqual([path, 'denied']);
              for (const name of ['LD_PRELOAD', 'NODE_OPTIONS', 'PATH', 'BASH_ENV']) expect(decider.variable(name).verdict).toBe('denied');
            }
          // Nor does a rule name a home, what holds one, or a folder in which something is only hidden by the built-in set.
          const texts = [...(document.spec.allow?.filesystem?.read ?? []), ...(document.spec.allow?.filesystem?.write ?? [])];
          const wide = /^\$\{home\}(\/\.config)?$|^(\$\{home\}|\/|[A-Z]:).*\.ssh|^(C:)?[\\/]\w+$|^(\/(home|Users)\/|C:\\Users\\)\w+$/;
          expect(texts.filter((text) => wide.test(text))).toEqual([]);
        }),
        law,
      );
    },
    LAW_TIMEOUT_MS * 4,
  );

  it(
    'allows every attempt that it does not say was withheld, and counts each one that it does',
    () => {
      fc.assert(
        fc.property(someEvents, someOptions, (events, options) => {
          const { document, withheld } = learn(events, options);
          const ask = allowedBy(document);
          const others = withheld.filter(({ reason }) => reason === 'other-agent' || reason === 'not-proven');
          const sum = (list: typeof withheld): number => list.reduce((total, { count }) => total + count, 0);
          const considered = events.filter((event) => counts(event, options));
          expect(sum(others)).toBe(events.length - considered.length);
          expect(considered.filter((event) => ask(event) === undefined).length).toBe(sum(withheld) - sum(others));
        }),
        law,
      );
    },
    LAW_TIMEOUT_MS * 4,
  );

  it(
    'holds only rules, and only ports, that enough devices used, and counts them right',
    () => {
      fc.assert(
        fc.property(someEvents, someOptions, (events, options) => {
          const { rules, document } = learn(events, options);
          const about = { agents: options.agents, systems: document.spec.match?.os ?? [], description: '' };
          const considered = events.filter((event) => counts(event, options));
          for (const rule of rules) {
            const ask = allowedBy(documentOf('one', about, [rule]));
            const using = considered.filter((event) => ask(event) === 'rule');
            const devices = new Set(using.map(({ device }) => device)).size;
            expect({ rule: rule.rule, support: using.length, devices }).toEqual({
              rule: rule.rule,
              support: rule.support,
              devices: rule.devices,
            });
            expect(devices).toBeGreaterThanOrEqual(options.minDevices);
            if (typeof rule.rule === 'string') continue;
            for (const port of rule.rule.ports ?? []) {
              const at = using.filter((event) => event.kind === 'egress' && event.port === port);
              expect(new Set(at.map(({ device }) => device)).size).toBeGreaterThanOrEqual(options.minDevices);
            }
          }
        }),
        law,
      );
    },
    LAW_TIMEOUT_MS * 4,
  );

  it(
    'is minimal: without any one of its rules some attempt would be denied',
    () => {
      fc.assert(
        fc.property(someEvents, someOptions, (events, options) => {
          const { rules, document } = learn(events, options);
          const about = { agents: options.agents, systems: document.spec.match?.os ?? [], description: '' };
          const considered = events.filter((event) => counts(event, options));
          const whole = allowedBy(document);
          for (const rule of rules) {
            const without = allowedBy(
              documentOf(
                'rest',
                about,
                rules.filter((other) => other !== rule),
              ),
            );
            expect(considered.some((event) => whole(event) !== undefined && without(event) === undefined)).toBe(true);
          }
        }),
        law,
      );
    },
    LAW_TIMEOUT_MS * 4,
  );
});
