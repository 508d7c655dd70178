/** The meaning of a set of policies, the slow obvious way: no index, no preparation, straight from the documents. For laws only. */
import { NEVER_GRANT, NEVER_WRITE, SYSTEM_READ } from './builtin.ts';
import type { HostEntry, PolicyDocument } from './document/schema.ts';
import type { AppliedPolicy, PathVariables, Subject } from './effective.ts';
import type { Access } from './_small-world.ts';

type Spec = PolicyDocument['spec'];

const values = (variables: PathVariables): Readonly<Record<string, readonly string[]>> => ({
  home: [variables.home],
  workspace: variables.workspace === undefined ? [] : [variables.workspace],
  tmp: [variables.tmp],
  tools: variables.tools,
  agent: variables.agent,
});

const expand = (text: string, variables: PathVariables): string[] => {
  const [, name, rest = ''] = /^\$\{(\w+)\}(.*)$/.exec(text) ?? [];
  return name === undefined ? [text] : (values(variables)[name] ?? []).map((value) => value + rest);
};

const below = (path: string, place: string): boolean => `${path}/`.startsWith(`${place}/`);
const inAny = (path: string, texts: readonly string[], variables: PathVariables): boolean =>
  texts.some((text) => expand(text, variables).some((place) => below(path, place)));

const matches = ({ match }: Spec, subject: Subject): 'yes' | 'maybe' | 'no' => {
  if (match?.os?.includes(subject.os) === false || match?.users?.some((user) => user === '*' || user === subject.user) === false)
    return 'no';
  const agents = match?.agents ?? ['*'];
  if (agents.includes('*')) return 'yes';
  if (subject.agent.proof === 'claimed') return 'maybe';
  return agents.includes(subject.agent.id) ? 'yes' : 'no';
};

const hostFits = (pattern: string, host: string): boolean => {
  const isAddress = /^[0-9.]+$/.test(host);
  if (pattern === '*') return !isAddress;
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) && host !== pattern.slice(1) : pattern === host;
};

const entryFits = (
  entry: HostEntry,
  verb: 'allow' | 'deny' | 'limit',
  { host, port, http }: Extract<Access, { kind: 'host' }>,
): boolean => {
  const needsHttp = entry.methods !== undefined || entry.paths !== undefined;
  const ports = entry.ports ?? (verb === 'allow' ? [needsHttp ? 80 : 443] : undefined);
  if (!hostFits(entry.host, host) || ports?.includes(port) === false) return false;
  if (!needsHttp) return true;
  if (http === undefined) return verb === 'deny';
  return (entry.methods?.includes(http.method) ?? true) && (entry.paths?.some((prefix) => below(http.path, prefix)) ?? true);
};

const numberOf = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
const cidrFits = (
  entry: { cidr: string; ports?: number[] | undefined },
  verb: 'allow' | 'deny' | 'limit',
  { host, port }: Extract<Access, { kind: 'host' }>,
): boolean => {
  if (!/^[0-9.]+$/.test(host) || (entry.ports ?? (verb === 'allow' ? [443] : undefined))?.includes(port) === false) return false;
  const [base = '', length = '32'] = entry.cidr.split('/');
  const size = 2 ** (32 - Number(length));
  return Math.floor(numberOf(host) / size) === Math.floor(numberOf(base) / size);
};

const CLIPBOARD: Readonly<Record<string, readonly string[]>> = {
  none: [],
  read: ['ui.clipboard.read'],
  write: ['ui.clipboard.write'],
  all: ['ui.clipboard.read', 'ui.clipboard.write'],
};
/** What a section says of a right: names it, is about it without naming it, or nothing. */
const says = (section: Spec['limit'] | Spec['allow'] | Spec['deny'], right: string): 'names' | 'excludes' | undefined => {
  const flag = {
    'ui.windows': section?.ui?.windows,
    'ui.input-injection': section?.ui?.inputInjection,
    'network.ingress': section?.network?.ingress,
    'network.host-loopback': section?.network?.hostLoopback,
  }[right];
  if (right.startsWith('ui.clipboard')) {
    const text = section?.ui?.clipboard;
    return text === undefined ? undefined : CLIPBOARD[text]?.includes(right) ? 'names' : 'excludes';
  }
  return flag === undefined ? undefined : flag ? 'names' : 'excludes';
};

/** @param workspace whether the working directory may be one: decided elsewhere */
export const reference = (
  policies: readonly AppliedPolicy[],
  subject: Subject,
  given: PathVariables,
  workspace: boolean,
  asked: Access,
): 'allowed' | 'denied' => {
  const variables = {
    ...given,
    workspace: workspace ? given.workspace : undefined,
    agent: subject.agent.proof === 'proven' ? given.agent : [],
  };
  const enforced = policies.map(({ document }) => document.spec).filter(({ mode }) => mode !== 'audit');
  const granting = enforced.filter((spec) => matches(spec, subject) === 'yes');
  const narrowing = enforced.filter((spec) => matches(spec, subject) !== 'no');
  const verdict = (allowed: boolean, limited: boolean, denied: boolean): 'allowed' | 'denied' =>
    granting.length > 0 && allowed && limited && !denied ? 'allowed' : 'denied';
  switch (asked.kind) {
    case 'path': {
      const { path, access } = asked;
      const builtin = (access === 'read' && SYSTEM_READ.linux.some((place) => below(path, place))) || below(path, variables.tmp);
      const allowed = granting.some(({ allow }) =>
        inAny(path, [...(allow?.filesystem?.write ?? []), ...(access === 'read' ? (allow?.filesystem?.read ?? []) : [])], variables),
      );
      const limited = narrowing.every(({ limit }) =>
        [limit?.filesystem?.read, access === 'write' ? limit?.filesystem?.write : undefined].every(
          (list) => list === undefined || inAny(path, list, variables),
        ),
      );
      const denied =
        inAny(path, [...NEVER_GRANT.linux, ...(access === 'write' ? NEVER_WRITE.linux : [])], given) ||
        narrowing.some(({ deny }) =>
          inAny(path, [...(deny?.filesystem?.access ?? []), ...(access === 'write' ? (deny?.filesystem?.write ?? []) : [])], given),
        );
      return verdict(builtin || allowed, builtin || limited, denied);
    }
    case 'host':
      return verdict(
        granting.some(
          ({ allow }) =>
            allow?.network?.hosts?.some((entry) => entryFits(entry, 'allow', asked)) === true ||
            allow?.network?.forwards?.some((entry) => entry.host === asked.host && entry.port === asked.port) === true ||
            allow?.network?.cidrs?.some((entry) => cidrFits(entry, 'allow', asked)) === true,
        ),
        narrowing.every(
          ({ limit }) =>
            (limit?.network?.hosts === undefined || limit.network.hosts.some((entry) => entryFits(entry, 'limit', asked))) &&
            (limit?.network?.cidrs === undefined ||
              !/^[0-9.]+$/.test(asked.host) ||
              limit.network.cidrs.some((entry) => cidrFits(entry, 'limit', asked))),
        ),
        narrowing.some(
          ({ deny }) =>
            deny?.network?.hosts?.some((entry) => entryFits(entry, 'deny', asked)) === true ||
            deny?.network?.cidrs?.some((entry) => cidrFits(entry, 'deny', asked)) === true,
        ),
      );
    case 'right':
      return verdict(
        granting.some(({ allow }) => says(allow, asked.right) === 'names'),
        narrowing.every(({ limit }) => says(limit, asked.right) !== 'excludes'),
        narrowing.some(({ deny }) => says(deny, asked.right) === 'names'),
      );
    case 'variable':
      return verdict(
        granting.some(({ allow }) => allow?.environment?.includes(asked.name) === true),
        narrowing.every(({ limit }) => limit?.environment?.includes(asked.name) ?? true),
        narrowing.some(({ deny }) => deny?.environment?.includes(asked.name) === true),
      );
  }
};
