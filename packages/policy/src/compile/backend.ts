/** What all backends have in common: findings about each control, and a plan made of them. */
import type { Control } from '../document/controls.ts';
import { CONTROLS } from '../document/controls.ts';
import { allowedVariables, type Decider } from '../decide/decider.ts';
import { NO_EGRESS } from '../egress-rules.ts';
import { ISOLATIONS, type EffectivePolicy, type Isolation, type Right, type Stated } from '../effective.ts';
import { CordonError } from '../errors.ts';
import type { Compiled, ControlReport, Limits } from '../launch-plan.ts';
import type { Grants } from './grants.ts';

export type Finding = Omit<ControlReport, 'control'>;
/** One for every control: the type sees to it. */
export type Findings = Readonly<Record<Control, Finding>>;

export const enforced = (why: string): Finding => ({ state: 'enforced', why });
/** Kept in all but the cases that `why` names. */
export const approximated = (why: string): Finding => ({ state: 'approximated', why, gap: 'wider' });
/** Something is allowed that this backend cannot give. */
export const unavailable = (why: string): Finding => ({ state: 'unsupported', why, gap: 'narrower' });
/** Something is denied or limited that this backend does not keep. */
export const unenforced = (why: string): Finding => ({ state: 'unsupported', why, gap: 'wider' });

/** The first few, for a sentence. */
export const few = (paths: readonly string[]): string =>
  paths.length > 5 ? `${paths.slice(0, 5).join(', ')} and ${paths.length - 5} more` : paths.join(', ');

export const allows = (decider: Decider, right: Right): boolean => decider.right(right).verdict === 'allowed';

/** By whether any of the rights is allowed. */
export const byRight = (
  decider: Decider,
  rights: readonly Right[],
  { denied, allowed }: Readonly<Record<'denied' | 'allowed', Finding>>,
): Finding => (rights.some((right) => allows(decider, right)) ? allowed : denied);

export const CLIPBOARD: readonly Right[] = ['ui.clipboard.read', 'ui.clipboard.write'];

/** @returns a finding about a limit, when there is one */
export const limited = (stated: Stated<number> | undefined, finding: (value: number) => Finding): Finding =>
  stated === undefined ? enforced('no policy limits it') : finding(stated.value);

/** @param level how strongly this backend isolates */
export const isolationOf = ({ settings }: EffectivePolicy, level: Isolation, how: string): Finding => {
  const demanded = settings.isolation?.value ?? 'process';
  return ISOLATIONS.indexOf(demanded) <= ISOLATIONS.indexOf(level)
    ? enforced(how)
    : unenforced(`the policy demands ${demanded}; this is ${level}: ${how}`);
};

/** Required controls that are not truly enforced. Less isolation than a limit demands is never acceptable, required or not. */
const unmetOf = (required: readonly string[], reports: readonly ControlReport[]): ControlReport[] =>
  [...new Set([...required, 'isolation'])].flatMap((control) => {
    const report = reports.find((r) => r.control === control);
    if (report?.state === 'enforced') return [];
    return [report ?? { control, state: 'unsupported' as const, why: 'this device does not know the control', gap: 'wider' as const }];
  });

export const limitsOf = ({ resources }: EffectivePolicy): Limits => ({
  timeoutMs: resources.timeoutMs?.value,
  memoryBytes: resources.memoryBytes?.value,
  cpus: resources.cpus?.value,
  processes: resources.processes?.value,
});

/** @returns a plan; when `unmet` is not empty the launch must be refused with `launch.required-unmet` */
export const compiled = <Backend extends string, Request>(
  effective: EffectivePolicy,
  backend: Backend,
  request: Request,
  findings: Findings,
  grants: Grants,
): Compiled<Backend, Request> => {
  const controls = CONTROLS.map((control): ControlReport => ({ control, ...findings[control] }));
  const { hosts, hostLimits, cidrs, cidrLimits, identity, owners, resources } = effective;
  const budget = { upload: resources.uploadBytes?.value, download: resources.downloadBytes?.value };
  return {
    backend,
    request,
    egress: effective.refused === undefined ? { hosts, hostLimits, cidrs, cidrLimits, identity, owners, budget } : NO_EGRESS,
    environment: allowedVariables(effective),
    limits: limitsOf(effective),
    controls,
    unmet: unmetOf(effective.required, controls),
    shadowed: grants.shadowed,
  };
};

/** What the endpoint starts through the SDK, in its own words: the real command and the caller's values come by ways that no process list shows. */
export interface Start {
  readonly command: string;
  readonly workingDirectory?: string;
  /** All of it: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
}

const MAX_TIMEOUT_MS = 2 ** 32 - 1;

/** The part of a request that says what is started. On the wire 0 means no time limit, so a limit of nothing is one millisecond. */
export const startOf = (
  { command, workingDirectory, environment }: Start,
  { timeoutMs }: Limits,
): {
  command: string;
  workingDirectory?: string;
  environment: Record<string, string>;
  inheritDefaultEnvironment: false;
  timeoutMs?: number;
} => ({
  command,
  ...(workingDirectory !== undefined && { workingDirectory }),
  environment: { ...environment },
  inheritDefaultEnvironment: false,
  ...(timeoutMs !== undefined && { timeoutMs: Math.min(Math.max(timeoutMs, 1), MAX_TIMEOUT_MS) }),
});

/** @throws CordonError `compile.proxy-port`: the sandbox reads a URL whose port goes without saying as one without a port */
export const proxyUrl = (port: number): string => {
  if (!Number.isInteger(port) || port < 1 || port > 65_535 || port === 80)
    throw new CordonError('compile.proxy-port', `the egress proxy cannot be at port ${port}; give it one of 1024 to 65535`);
  return `http://127.0.0.1:${port}`;
};
