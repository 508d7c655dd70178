/**
 * The tables of docs/enforcement.md, from what the compilers report for two policies on machines where everything is there. A test compares; run by itself, this file
 * writes them into the page.
 */
import fs from 'node:fs';
import path from 'node:path';
import { effectiveOf, policyOf } from '../_arbitrary-policy.ts';
import { CONTROLS, type Control } from '../document/controls.ts';
import type { PolicyDocument } from '../document/schema.ts';
import type { Compiled, ControlReport } from '../launch-plan.ts';
import { BACKENDS, HOST, type Backend } from './_backends.ts';
import { report } from './_compile-laws.ts';
import { compileBubblewrap } from './bubblewrap.ts';

export const PAGE = path.join(import.meta.dirname, '../../../../docs/enforcement.md');
const BEGIN = '<!-- made from the compilers by packages/policy/src/compile/_enforcement-page.ts -->\n';
const END = '<!-- end of what is made -->\n';

/** Grants, hides, protects and limits, and allows nothing that needs a desktop or lets somebody in. */
const STRICT: PolicyDocument['spec'] = {
  allow: {
    filesystem: { read: ['${tools}'], write: ['${workspace}'] },
    network: {
      hosts: [{ host: 'api.example.com' }, { host: 'example.com', methods: ['GET'] }],
      cidrs: [{ cidr: '9.9.9.0/24' }],
    },
    environment: ['LANG'],
  },
  deny: { filesystem: { access: ['${workspace}/secrets'], write: ['${workspace}/ci'] } },
  limit: { resources: { timeout: '8h', memory: '4GiB', cpu: 2, processes: 512 }, isolation: 'process' },
};
const GENEROUS: PolicyDocument['spec'] = {
  ...STRICT,
  allow: {
    ...STRICT.allow,
    network: { ...STRICT.allow?.network, ingress: true, hostLoopback: true },
    ui: { windows: true, clipboard: 'all', inputInjection: true },
  },
};
const BY_RIGHTS: readonly Control[] = CONTROLS.filter((control) => /^(network|ui)\./.test(control));

const COLUMNS: readonly Backend[] = BACKENDS.flatMap((backend) =>
  backend.name === 'bubblewrap'
    ? [
        backend,
        {
          ...backend,
          name: 'bubblewrap, control groups',
          compile: (effective, host) =>
            compileBubblewrap(effective, { ...host, limits: { memory: 'cgroup', cpu: 'cgroup', processes: 'cgroup' } }),
        },
      ]
    : [backend],
);

const word = ({ state, gap }: ControlReport): string =>
  state === 'enforced' ? '**enforced**' : state === 'approximated' ? 'approximated' : gap === 'narrower' ? 'not given' : 'not kept';

const plansOf = (spec: PolicyDocument['spec']): readonly Compiled<string, unknown>[] =>
  COLUMNS.map(({ os, compile }) => compile(effectiveOf([policyOf(0, spec)], os), HOST));

const table = (plans: readonly Compiled<string, unknown>[], controls: readonly Control[]): string =>
  [
    ['control', ...COLUMNS.map(({ name }) => name)],
    ['---', ...COLUMNS.map(() => '---')],
    ...controls.map((control) => [`\`${control}\``, ...plans.map((plan) => word(report(plan, control)))]),
  ]
    .map((cells) => `| ${cells.join(' | ')} |\n`)
    .join('');

/** Why, once for all backends that say the same. */
const reasons = (plans: readonly Compiled<string, unknown>[], control: Control): string => {
  const byWhy = Map.groupBy(
    plans.map((plan, i) => ({ name: COLUMNS[i]?.name ?? '', found: report(plan, control) })),
    ({ found }) => `${word(found)}: ${found.why}`,
  );
  return [...byWhy].map(([why, some]) => `- ${some.map(({ name }) => name).join('; ')} — ${why}\n`).join('');
};

export const enforcementTables = (): string => {
  const strict = plansOf(STRICT);
  const generous = plansOf(GENEROUS);
  return `### Where the desktop, the network inwards and the host's loopback are denied

${table(strict, CONTROLS)}
### Where they are allowed

${table(generous, BY_RIGHTS)}
### Why

${CONTROLS.map((control) => `#### ${control}\n\n${reasons(strict, control)}`).join('\n')}
### Why, where they are allowed

${BY_RIGHTS.map((control) => `#### ${control}, allowed\n\n${reasons(generous, control)}`).join('\n')}`;
};

/** @returns the page with its made part replaced */
export const withTables = (page: string, tables: string): string => {
  const [before = '', rest = ''] = page.split(BEGIN);
  return `${before}${BEGIN}\n${tables}\n${END}${rest.split(END)[1] ?? ''}`;
};

if (import.meta.main) fs.writeFileSync(PAGE, withTables(fs.readFileSync(PAGE, 'utf8'), enforcementTables()));
