/** What the schema cannot say: which paths, hosts and names make sense in which section. */
import { isLoaderVariable, NEVER_GRANT, SOCKET_PLACES } from '../builtin.ts';
import { CordonError } from '../errors.ts';
import { isPrivateAddress } from '../match/address.ts';
import { parseCidr, canonicalCidr, covers, specialPart } from '../match/cidr.ts';
import { canonicalHost, canonicalHostPattern } from '../match/host.ts';
import { canonicalPath, isWithin } from '../match/path.ts';
import { isPublicSuffix, publicSuffixBelow } from '../match/public-suffix.ts';
import { canonicalUrlPath } from '../match/url-path.ts';
import type { CidrEntry, HostEntry, PolicyDocument } from './schema.ts';
import type { ForwardEntry } from './terms.ts';
import { parsePathText, type PathTemplate } from './variables.ts';

export interface Finding {
  readonly code: string;
  readonly path: readonly (string | number)[];
  readonly message: string;
}

type Verb = 'allow' | 'deny' | 'limit';

/** What the sections of policies and manifests have in common. */
interface Section {
  readonly filesystem?: Readonly<Record<string, readonly string[] | undefined>>;
  readonly network?: {
    readonly hosts?: readonly HostEntry[];
    readonly cidrs?: readonly CidrEntry[];
    readonly forwards?: readonly ForwardEntry[];
  };
  readonly environment?: readonly string[];
  readonly identity?: { readonly hosts?: readonly string[] };
  readonly workspaces?: readonly string[];
}

const attempt = (path: readonly (string | number)[], check: () => void): Finding[] => {
  try {
    check();
    return [];
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return [{ code: error.code, path, message: error.message }];
  }
};

const never = Object.values(NEVER_GRANT)
  .flat()
  .map((text) => ({ text, template: parsePathText(text) }));

/**
 * Whether one template lies in another, whatever the variables mean.
 * @param compared as which system compares names. Case is folded unless said: what one system hides is refused for all
 */
export const liesIn = (inner: PathTemplate, outer: PathTemplate, compared: 'linux' | 'macos' = 'macos'): boolean => {
  if (inner.kind === 'variable' && outer.kind === 'variable')
    return inner.variable === outer.variable && isWithin(inner.rest === '' ? '/' : inner.rest, outer.rest, compared);
  if (inner.kind === 'variable' || outer.kind === 'variable') return false;
  if (inner.kind !== outer.kind) return false;
  if (inner.kind === 'windows') return isWithin(inner.text, outer.text, 'windows');
  return isWithin(canonicalPath(inner.text, compared), canonicalPath(outer.text, compared), compared);
};

/** Somebody's home is a home, written out or not. */
const HOMES = [/^\/(?:home|Users|var\/home)\/[^/]+(\/.*)$/i, /^\/(?:private\/var\/)?root(\/.*)$/i, /^[A-Z]:\\Users\\[^\\]+(\\.*)$/i];
const inHome = (template: PathTemplate): PathTemplate => {
  if (template.kind === 'variable') return template;
  const rest = HOMES.map((home) => home.exec(template.text)?.[1]).find((found) => found !== undefined);
  return rest === undefined ? template : { kind: 'variable', variable: 'home', rest: rest.replaceAll('\\', '/') };
};

/** Second names that Windows keeps for old programs: short ones, and links beside what they lead to. */
const OLD_NAME = /^[^.~]{1,6}~\d{1,6}(?:\.[^.]{0,3})?$/;
const OLD_LINK = /^(?:\/(?:Application Data|Local Settings)|[A-Z]:\\(?:Documents and Settings|Users\\All Users))(?:[\\/]|$)/i;
const checkOldNames = (text: string, template: PathTemplate): void => {
  if (template.kind === 'posix') return;
  const place = template.kind === 'variable' ? template.rest : template.text;
  if (OLD_LINK.test(place) || place.split(/[\\/]/).some((name) => OLD_NAME.test(name)))
    throw new CordonError('path.old-name', `${text} holds a second name that Windows keeps for old programs; write the true one`);
};

/** One rule serves every system, so that its names must be names on Windows too: nothing could be resolved there. */
const checkPortable = (text: string): void => {
  const template = parsePathText(text);
  if (template.kind === 'variable' && template.rest.split('/').some((name) => /[. ]$|:/.test(name)))
    throw new CordonError(
      'path.invalid',
      `${text} holds a name that Windows reads as another: it ends in a dot or space, or holds a colon; name the folder above it, or say which systems the policy is for`,
    );
};

const checkAllowedPath = (text: string): void => {
  const template = parsePathText(text);
  if (template.kind === 'variable' && template.variable === 'system')
    throw new CordonError('path.variable', `${text} is what programs need to start: readable without a rule, and given by none`);
  checkOldNames(text, template);
  const found = never.find((candidate) => liesIn(template, candidate.template) || liesIn(inHome(template), candidate.template));
  if (found !== undefined) throw new CordonError('path.never-granted', `${text} lies in ${found.text}, which no policy can grant`);
  const sockets = SOCKET_PLACES.find((place) => liesIn(template, parsePathText(place)));
  if (sockets !== undefined)
    throw new CordonError(
      'path.sockets',
      `${text} lies in ${sockets}, where sockets and devices act for whoever reaches them; no policy can grant it`,
    );
};

const checkWorkspace = (text: string): void => {
  const template = parsePathText(text);
  if (template.kind === 'variable' && template.variable !== 'home' && template.variable !== 'tools')
    throw new CordonError(
      'path.variable',
      `which folders may be a workspace is said by absolute paths, \${home} or \${tools}, not by \${${template.variable}}`,
    );
};

const checkHost = (entry: HostEntry, verb: Verb): void => {
  const pattern = canonicalHostPattern(entry.host);
  for (const path of entry.paths ?? []) {
    if (path.includes('?'))
      throw new CordonError('url.path', `the path ${JSON.stringify(path)} holds a query, which no rule sees; leave it out`);
    canonicalUrlPath(path);
  }
  if (verb !== 'allow') return;
  const domain = pattern.startsWith('*.') ? pattern.slice(2) : undefined;
  const shared = domain === undefined ? undefined : isPublicSuffix(domain) ? domain : publicSuffixBelow(domain);
  if (shared !== undefined)
    throw new CordonError('host.public-suffix', `anybody can get a name below ${shared}; name the hosts that are meant`);
  if (entry.private === true && pattern.includes('*'))
    throw new CordonError('host.private-wildcard', `private: true needs an exact host: others may control names below ${entry.host}`);
  if (entry.private !== true && !pattern.includes('*') && /^[0-9.]+$|:/.test(pattern) && isPrivateAddress(pattern))
    throw new CordonError('host.private', `${pattern} is a private, local or special address; say private: true if it is meant`);
};

/** Where programs inside find the egress proxy. */
const PROXY_PORT = 3128;

const checkForward = ({ host, port, at, private: isPrivate }: ForwardEntry): void => {
  if (at === PROXY_PORT) throw new CordonError('forward.port', `port ${at} inside is the egress proxy's own; choose another`);
  if (host.includes('*')) throw new CordonError('forward.host', `a forward leads to one host; ${host} is many`);
  checkHost({ host, ports: [port], ...(isPrivate !== undefined && { private: isPrivate }) }, 'allow');
};

const checkCidr = (entry: CidrEntry, verb: Verb): void => {
  const network = parseCidr(entry.cidr);
  for (const except of entry.except ?? [])
    if (!covers(network, parseCidr(except))) throw new CordonError('cidr.except', `${except} does not lie in ${canonicalCidr(entry.cidr)}`);
  if (verb !== 'allow') return;
  if (network.length === 0)
    throw new CordonError('cidr.too-wide', `${entry.cidr} is every address; use a host rule "*", which is judged by name`);
  const special = entry.private === true ? undefined : specialPart(entry.cidr, entry.except ?? []);
  if (special !== undefined)
    throw new CordonError(
      'cidr.private',
      `${entry.cidr} holds private, local or special addresses (${special}); name them in except, or say private: true if they are meant`,
    );
};

const checkIdentityHost = (text: string): void => {
  canonicalHost(text);
};

const checkEnvironment = (name: string, verb: Verb): void => {
  if (verb !== 'deny' && isLoaderVariable(name))
    throw new CordonError(
      'environment.loader',
      `${name} changes what programs load or run, or whom they speak for, so it is never passed on`,
    );
};

const each = <T>(
  list: readonly T[] | undefined,
  place: readonly (string | number)[],
  check: (item: T) => void,
  field?: string,
): Finding[] =>
  (list ?? []).flatMap((item, index) => attempt(field === undefined ? [...place, index] : [...place, index, field], () => check(item)));

/**
 * @param place of the section in the document
 * @param windows whether it is for Windows too
 */
export const checkSection = (section: Section, verb: Verb, place: readonly string[], windows = true): Finding[] => {
  const at = (...more: readonly string[]): string[] => [...place, ...more];
  const checkPath = (text: string): void => {
    (verb === 'allow' ? checkAllowedPath : parsePathText)(text);
    if (windows) checkPortable(text);
  };
  return [
    ...Object.entries(section.filesystem ?? {}).flatMap(([access, list]) => each(list, at('filesystem', access), checkPath)),
    ...each(section.network?.hosts, at('network', 'hosts'), (entry) => checkHost(entry, verb), 'host'),
    ...each(section.network?.forwards, at('network', 'forwards'), checkForward, 'host'),
    ...each(section.network?.cidrs, at('network', 'cidrs'), (entry) => checkCidr(entry, verb), 'cidr'),
    ...each(section.environment, at('environment'), (name) => checkEnvironment(name, verb)),
    ...each(section.identity?.hosts, at('identity', 'hosts'), checkIdentityHost),
    ...each(section.workspaces, at('workspaces'), (text) => {
      checkWorkspace(text);
      if (windows) checkPortable(text);
    }),
  ];
};

/** @returns every finding, in the order of the document */
export const checkDocument = (document: PolicyDocument): Finding[] =>
  (['allow', 'deny', 'limit'] as const).flatMap((verb) => {
    // Called with what is left of a document whose other parts were refused: anything may be missing.
    const spec = (document as Partial<PolicyDocument>).spec;
    const section = spec?.[verb];
    return section === undefined ? [] : checkSection(section, verb, ['spec', verb], spec?.match?.os?.includes('windows') ?? true);
  });
