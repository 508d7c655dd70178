/** What a valid policy says that its author may not have meant, or that is weaker than it looks. Nothing here makes a policy invalid. */
import { PROFILES } from '../agents/profiles.ts';
import { parseCidr, covers } from '../match/cidr.ts';
import { canonicalHostPattern, hostMatches } from '../match/host.ts';
import { liesIn, type Finding } from './check.ts';
import { nearest } from './issues.ts';
import type { HostEntry, PolicyDocument } from './schema.ts';
import { parsePathText } from './variables.ts';

type Spec = PolicyDocument['spec'];
type Path = readonly (string | number)[];

const advice = (code: string, path: Path, message: string): Finding => ({ code: `advice.${code}`, path, message });

const readsHttp = ({ methods, paths }: HostEntry): boolean => methods !== undefined || paths !== undefined;

const AGENTS = PROFILES.map(({ id }) => id);

const aboutAgents = ({ match }: Spec): Finding[] =>
  (match?.agents ?? []).flatMap((id, i) => {
    if (id === '*' || AGENTS.includes(id)) return [];
    const near = nearest(id, AGENTS);
    const hint = near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`;
    const what = `no profile is called ${JSON.stringify(id)}, so no program is ever proven to be it${hint}`;
    return [advice('unknown-agent', ['spec', 'match', 'agents', i], what)];
  });

const aboutHosts = ({ allow }: Spec): Finding[] =>
  (allow?.network?.hosts ?? []).flatMap((entry, i) => {
    const at = ['spec', 'allow', 'network', 'hosts', i];
    const found: Finding[] = [];
    if (entry.host === '*')
      found.push(
        advice(
          'broad-host',
          [...at, 'host'],
          '"*" is every public address: what an agent reads it can send anywhere; name the hosts that are needed',
        ),
      );
    if (readsHttp(entry) && entry.ports?.includes(443) === true)
      found.push(
        advice(
          'no-tunnel',
          at,
          'a rule with methods or paths is about plain HTTP and opens no tunnel, so HTTPS on port 443 stays closed; leave them out, or name the port of plain HTTP',
        ),
      );
    return found;
  });

/** Names that are files wherever they are met. */
const FILES: ReadonlySet<string> = new Set([
  '.env',
  '.netrc',
  '.npmrc',
  '.pypirc',
  '.pgpass',
  '.git-credentials',
  '.bash_history',
  '.zsh_history',
  'id_rsa',
  'id_ecdsa',
  'id_ed25519',
]);
/** A document knows no disk: a known name, or one with an extension. Folders such as `conf.d` have none that a file would have. */
const looksLikeFile = (text: string): boolean => {
  const name = text.split(/[\\/]/).at(-1) ?? '';
  return FILES.has(name) || (/[^.]\.[A-Za-z0-9]{1,6}$/.test(name) && !/\.(d|git)$/.test(name));
};

const aboutFiles = ({ deny, match }: Spec): Finding[] =>
  match?.os?.includes('linux') === false
    ? []
    : (deny?.filesystem?.access ?? []).flatMap((text, i) =>
        looksLikeFile(text)
          ? [
              advice(
                'file-deny',
                ['spec', 'deny', 'filesystem', 'access', i],
                `${text} looks like a single file: on Linux its mask falls if the file is replaced during a run, so the control is only approximated; deny the folder that holds it`,
              ),
            ]
          : [],
      );

const shadowedPaths = ({ allow, deny }: Spec): Finding[] =>
  (['read', 'write'] as const).flatMap((access) => {
    const denied = [...(deny?.filesystem?.access ?? []), ...(access === 'write' ? (deny?.filesystem?.write ?? []) : [])];
    return (allow?.filesystem?.[access] ?? []).flatMap((text, i) => {
      const by = denied.find((candidate) => liesIn(parsePathText(text), parsePathText(candidate), 'linux'));
      const what = access === 'write' && deny?.filesystem?.access?.includes(by ?? '') !== true ? 'writing it' : 'it';
      return by === undefined
        ? []
        : [advice('shadowed', ['spec', 'allow', 'filesystem', access, i], `the deny of ${by} beats this allow: ${what} is never granted`)];
    });
  });

const portsWithin = (inner: readonly number[], outer: readonly number[] | undefined): boolean =>
  outer === undefined || inner.every((port) => outer.includes(port));

const aboutForwards = ({ allow, deny }: Spec): Finding[] => {
  const forwards = allow?.network?.forwards ?? [];
  return forwards.flatMap((entry, i) => {
    const place = ['spec', 'allow', 'network', 'forwards', i];
    const { at, host, port } = entry;
    const by = (deny?.network?.hosts ?? []).find(
      (rule) => portsWithin([port], rule.ports) && hostMatches(canonicalHostPattern(rule.host), canonicalHostPattern(host)),
    );
    const other = at === undefined ? undefined : forwards.find((rule) => rule.at === at && (rule.host !== host || rule.port !== port));
    return [
      ...(by === undefined ? [] : [advice('shadowed', place, `the deny of ${by.host} beats this forward: it leads nowhere`)]),
      ...(other === undefined
        ? []
        : [
            advice(
              'forward-claimed',
              [...place, 'at'],
              `another forward claims port ${at} for ${other.host}:${other.port}: neither gets it`,
            ),
          ]),
    ];
  });
};

const shadowedHosts = ({ allow, deny }: Spec): Finding[] => {
  const hosts = (allow?.network?.hosts ?? []).flatMap((entry, i) => {
    const pattern = canonicalHostPattern(entry.host);
    const ports = entry.ports ?? [readsHttp(entry) ? 80 : 443];
    const by = (deny?.network?.hosts ?? []).find(
      (rule) => !readsHttp(rule) && portsWithin(ports, rule.ports) && hostMatches(canonicalHostPattern(rule.host), pattern),
    );
    return by === undefined
      ? []
      : [advice('shadowed', ['spec', 'allow', 'network', 'hosts', i], `the deny of ${by.host} beats this allow: it is never granted`)];
  });
  const cidrs = (allow?.network?.cidrs ?? []).flatMap((entry, i) => {
    const by = (deny?.network?.cidrs ?? []).find(
      (rule) =>
        rule.except === undefined && portsWithin(entry.ports ?? [443], rule.ports) && covers(parseCidr(rule.cidr), parseCidr(entry.cidr)),
    );
    return by === undefined
      ? []
      : [advice('shadowed', ['spec', 'allow', 'network', 'cidrs', i], `the deny of ${by.cidr} beats this allow: it is never granted`)];
  });
  return [...hosts, ...cidrs];
};

const shadowedNames = ({ allow, deny }: Spec): Finding[] =>
  (allow?.environment ?? []).flatMap((name, i) =>
    deny?.environment?.includes(name) === true
      ? [advice('shadowed', ['spec', 'allow', 'environment', i], `the deny of ${name} beats this allow: it is never passed on`)]
      : [],
  );

/** @param document valid: what parsePolicy returned */
export const advise = ({ spec }: PolicyDocument): readonly Finding[] => [
  ...aboutAgents(spec),
  ...aboutHosts(spec),
  ...aboutFiles(spec),
  ...shadowedPaths(spec),
  ...shadowedHosts(spec),
  ...aboutForwards(spec),
  ...shadowedNames(spec),
];
