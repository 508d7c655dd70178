/** The manifest that annotations make together: the same text for the same source, each need with the places that declare it. */
import { Document, isCollection, isNode } from 'yaml';
import type { HostEntry } from '../document/schema.ts';
import { visible } from '../visible.ts';
import type { AgentManifest, Declaration, Needs } from './schema.ts';

type Path = readonly (string | number)[];

export interface PlacedDeclaration {
  readonly declaration: Declaration;
  readonly file: string;
  readonly lineOf: (path: Path) => number;
}

/** One thing that is needed. */
interface Need {
  /** Where it belongs in a side of the manifest: `filesystem.read`, `ui.windows`. */
  readonly section: string;
  readonly value: string | true | HostEntry;
  /** In the declaration. */
  readonly path: Path;
}

/** The same entry in whatever order it was written. */
const ordered = ({ host, ports, private: reachesPrivate, methods, paths }: HostEntry): HostEntry => ({
  host,
  ...(ports !== undefined && { ports: [...new Set(ports)].sort((a, b) => a - b) }),
  ...(reachesPrivate === true && { private: true }),
  ...(methods !== undefined && { methods: [...new Set(methods)].sort() }),
  ...(paths !== undefined && { paths: [...new Set(paths)].sort() }),
});

const CLIPBOARD: Readonly<Record<string, readonly string[]>> = { none: [], read: ['read'], write: ['write'], all: ['read', 'write'] };

const needsIn = ({ filesystem, network, ui, environment }: Needs, place: Path): readonly Need[] => {
  const each = (section: string, list: readonly (string | HostEntry)[] | undefined, path: Path): Need[] =>
    (list ?? []).map((value, i) => ({
      section,
      value: typeof value === 'string' ? value : ordered(value),
      path: [...place, ...path, i],
    }));
  const flag = (section: string, field: string, stated: true | undefined): Need[] =>
    stated === undefined ? [] : [{ section: `${section}.${field}`, value: true, path: [...place, section, field] }];
  return [
    ...each('filesystem.read', filesystem?.read, ['filesystem', 'read']),
    ...each('filesystem.write', filesystem?.write, ['filesystem', 'write']),
    ...each('network.hosts', network?.hosts, ['network', 'hosts']),
    ...flag('network', 'ingress', network?.ingress),
    ...flag('network', 'hostLoopback', network?.hostLoopback),
    ...flag('ui', 'windows', ui?.windows),
    ...(CLIPBOARD[ui?.clipboard ?? 'none'] ?? []).map((value) => ({ section: 'ui.clipboard', value, path: [...place, 'ui', 'clipboard'] })),
    ...flag('ui', 'inputInjection', ui?.inputInjection),
    ...each('environment', environment, ['environment']),
  ];
};

/** Each need once, with the places that declare it in their order. */
type Gathered = ReadonlyMap<string, { readonly need: Need; readonly places: readonly string[] }>;

const gather = (declared: readonly PlacedDeclaration[], side: 'required' | 'optional', except?: Gathered): Gathered => {
  const found = declared.flatMap(({ declaration, file, lineOf }) => {
    const { optional = {}, ...required } = declaration;
    const list = side === 'required' ? needsIn(required, []) : needsIn(optional, ['optional']);
    return list.map((need) => ({ need, file, line: lineOf(need.path), key: JSON.stringify([need.section, need.value]) }));
  });
  const keys = [...new Set(found.map(({ key }) => key))].filter((key) => except?.has(key) !== true).sort();
  return new Map(
    keys.flatMap((key) => {
      const same = found.filter((one) => one.key === key).sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
      const [first] = same;
      return first === undefined
        ? []
        : [[key, { need: first.need, places: [...new Set(same.map(({ file, line }) => `${file}:${line}`))] }]];
    }),
  );
};

/** Without members that are empty. */
const filled = (members: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(
    Object.entries(members).filter(
      ([, value]) => value !== undefined && (typeof value !== 'object' || Object.keys(value ?? {}).length > 0),
    ),
  );

const sideOf = (gathered: Gathered): object => {
  const all = [...gathered.values()].map(({ need }) => need);
  const words = (section: string): string[] =>
    all.flatMap(({ section: own, value }) => (own === section && typeof value === 'string' ? [value] : []));
  const flag = (section: string): true | undefined => (all.some((need) => need.section === section) ? true : undefined);
  const [first, second] = words('ui.clipboard');
  return filled({
    filesystem: filled({ read: words('filesystem.read'), write: words('filesystem.write') }),
    network: filled({
      hosts: all.flatMap(({ value }) => (typeof value === 'object' ? [value] : [])),
      ingress: flag('network.ingress'),
      hostLoopback: flag('network.hostLoopback'),
    }),
    ui: filled({
      windows: flag('ui.windows'),
      clipboard: second === undefined ? first : 'all',
      inputInjection: flag('ui.inputInjection'),
    }),
    environment: words('environment'),
  });
};

/**
 * @param header a line about where the text comes from
 * @param declared in any order. What is required anywhere is not also optional
 * @returns YAML
 */
export const writeManifest = (header: string, metadata: AgentManifest['metadata'], declared: readonly PlacedDeclaration[]): string => {
  const required = gather(declared, 'required');
  const optional = gather(declared, 'optional', required);
  const sides = { required, optional };
  const needs = filled({ required: sideOf(required), optional: sideOf(optional) });
  const yaml = new Document({ apiVersion: 'cordon/v1', kind: 'AgentManifest', metadata, needs });
  yaml.commentBefore = ` ${visible(header)}`;
  for (const side of ['required', 'optional'] as const) {
    const counts = new Map<string, number>();
    for (const { need, places } of sides[side].values()) {
      const at = counts.get(need.section) ?? 0;
      counts.set(need.section, at + 1);
      const isItem = need.value !== true && need.section !== 'ui.clipboard';
      const node = yaml.getIn(['needs', side, ...need.section.split('.'), ...(isItem ? [at] : [])], true);
      if (!isNode(node)) continue;
      if (isCollection(node)) node.flow = true;
      node.comment = `${node.comment === undefined || node.comment === null ? '' : `${node.comment},`} ${places.map(visible).join(', ')}`;
    }
  }
  return yaml.toString({ lineWidth: 0 });
};
