/** Everything that can be asked of an effective policy in the world of `_arbitrary-policy.ts`, with the answers as a set. For laws only. */
import { askedPaths } from './_arbitrary-policy.ts';
import { createDecider } from './decide/decider.ts';
import { RIGHTS, type EffectivePolicy, type OperatingSystem } from './effective.ts';

export const ASKED_HOSTS: readonly string[] = [
  'example.com',
  'api.example.com',
  'v2.api.example.com',
  'other.test',
  'else.test',
  'intranet.test',
  '10.1.2.3',
  '8.8.8.8',
  '8.8.8.9',
  '9.9.9.9',
  '9.9.1.1',
  '9.9.2.2',
  '198.18.0.1',
  '2600::1',
];
const REQUESTS = [
  undefined,
  ...['GET', 'POST'].flatMap((method) => ['/', '/api/x', '/v1/y'].map((path) => ({ method, path }))),
  { method: 'GET', path: undefined },
];
export const ASKED_NAMES: readonly string[] = ['LANG', 'TERM', 'TOKEN', 'CI'];

/** What is allowed, one text each. That a host may be reached at private addresses too is a text of its own; so is who may get the run's identity. */
export const allowedOf = (effective: EffectivePolicy, os: OperatingSystem = effective.subject.os): ReadonlySet<string> => {
  const decider = createDecider(effective);
  const allowed = new Set<string>();
  const note = (verdict: string, text: string): void => void (verdict === 'allowed' && allowed.add(text));
  for (const path of askedPaths(os))
    for (const access of ['read', 'write'] as const) note(decider.path(path, access).verdict, `${access} ${path}`);
  for (const host of ASKED_HOSTS)
    for (const port of [443, 80, 8443])
      for (const http of REQUESTS) {
        const { verdict } = decider.host(host, port, http);
        const text = `${http === undefined ? 'tunnel' : `${http.method} ${http.path ?? '?'}`} ${host}:${port}`;
        note(verdict, text);
        if (verdict === 'allowed' && decider.egress.judged(host, port, http).private) allowed.add(`${text} private`);
      }
  for (const right of RIGHTS) note(decider.right(right).verdict, right);
  for (const name of ASKED_NAMES) note(decider.variable(name).verdict, `environment ${name}`);
  for (const { host } of effective.identity) allowed.add(`identity ${host}`);
  return allowed;
};

/** What the first allows and the second does not. */
export const beyond = (inner: ReadonlySet<string>, outer: ReadonlySet<string>): string[] => [...inner].filter((text) => !outer.has(text));
