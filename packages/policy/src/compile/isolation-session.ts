/**
 * Effective policy to a Windows session of an account made for it. The backend refuses every policy about files and the desktop and takes no other network than an
 * open one, so it is weaker than any policy that denies something there: every such control says so, and a policy that requires one is refused.
 */
import type { ContainerRequest, ExecutionRequest, ProvisionRequest } from '@microsoft/mxc-sdk/v1';
import { createDecider, type Decider } from '../decide/decider.ts';
import type { EffectivePolicy } from '../effective.ts';
import type { IsolationSessionPlan } from '../launch-plan.ts';
import {
  approximated,
  byRight,
  CLIPBOARD,
  compiled,
  enforced,
  isolationOf,
  limited,
  limitsOf,
  startOf,
  unavailable,
  unenforced,
  type Findings,
  type Start,
} from './backend.ts';
import { grantsOf } from './grants.ts';

export interface IsolationSessionEndpoint {
  readonly start: Start;
  /** Who Cordon is to Windows: `PFN:` and its package family name, when it is packaged. */
  readonly appId?: string;
}

/** The only posture that the backend accepts. */
const OPEN = { egress: { default: 'allow' }, ingress: { default: 'allow', hostLoopback: 'allow' } } as const;

const ACCOUNT =
  "the session's account is new and owns nothing: it sees what the host opens to every account, and nothing of what is granted";
const NETWORK = 'the session has the open network of the host, and no proxy can be put before it';

const controlsOf = (decider: Decider): Findings => {
  const { effective } = decider;
  const { resources } = effective;
  const apart = {
    denied: approximated("no policy for the desktop is accepted; the session's own desktop is not the one that the user sees"),
    allowed: unavailable("the session's own desktop is not the one that the user sees"),
  };
  const none = (what: string) => () => unenforced(`the backend sets no limit of ${what}`);
  const open = { denied: unenforced(NETWORK), allowed: enforced('the session has the open network of the host') };
  return {
    'filesystem.read': unenforced(ACCOUNT),
    'filesystem.write': unenforced(ACCOUNT),
    'filesystem.deny': unenforced('no denied path is accepted'),
    'filesystem.protect': unenforced('no read-only path is accepted'),
    'network.hosts': unenforced(NETWORK),
    'network.cidrs': unenforced(NETWORK),
    'network.private': unenforced(NETWORK),
    'network.http': unenforced(NETWORK),
    'network.ingress': byRight(decider, ['network.ingress'], open),
    'network.host-loopback': byRight(decider, ['network.host-loopback'], open),
    'ui.windows': byRight(decider, ['ui.windows'], apart),
    'ui.clipboard': byRight(decider, CLIPBOARD, apart),
    'ui.input-injection': byRight(decider, ['ui.input-injection'], apart),
    environment: enforced('the environment is what the endpoint gives, and the names that are allowed'),
    'resources.timeout': limited(resources.timeoutMs, () => enforced('the session ends with all that is in it')),
    'resources.network':
      resources.uploadBytes === undefined && resources.downloadBytes === undefined ? enforced('no policy limits it') : unenforced(NETWORK),
    'resources.memory': limited(resources.memoryBytes, none('memory')),
    'resources.cpu': limited(resources.cpus, none('processors')),
    'resources.processes': limited(resources.processes, none('processes')),
    isolation: isolationOf(effective, 'session', 'a session and an account of its own'),
  };
};

/** Pure. The phases carry the same as the request: provision what is fixed, execute what is started. */
export const compileIsolationSession = (effective: EffectivePolicy, { start, appId }: IsolationSessionEndpoint): IsolationSessionPlan => {
  const { command, ...rest } = startOf(start, limitsOf(effective));
  const request: ContainerRequest = {
    command,
    ...rest,
    containment: { type: 'isolation_session' },
    network: { egress: { ...OPEN.egress }, ingress: { ...OPEN.ingress } },
  };
  const provision: ProvisionRequest<'isolation_session'> = {
    containment: 'isolation_session',
    network: { egress: { ...OPEN.egress }, ingress: { ...OPEN.ingress } },
    ...(appId !== undefined && { appId }),
  };
  const execute: ExecutionRequest<'isolation_session'> = { command, ...rest };
  const grants = grantsOf(effective, { baseline: [], masksBaseline: false, grantsTmp: false });
  return {
    ...compiled(effective, 'isolation_session', request, controlsOf(createDecider(effective)), grants),
    lifecycle: { provision, execute },
  };
};
