/** Controls that a policy may demand to be truly enforced. */
export const CONTROLS = [
  'filesystem.read',
  'filesystem.write',
  'filesystem.deny',
  'filesystem.protect',
  'network.hosts',
  'network.cidrs',
  'network.private',
  'network.http',
  'network.ingress',
  'network.host-loopback',
  'ui.windows',
  'ui.clipboard',
  'ui.input-injection',
  'environment',
  'resources.timeout',
  'resources.memory',
  'resources.cpu',
  'resources.processes',
  'resources.network',
  'isolation',
] as const;
export type Control = (typeof CONTROLS)[number];
/** What a policy demands that does not say what it requires. */
export const DEFAULT_REQUIRED: readonly Control[] = ['filesystem.read', 'filesystem.write', 'network.hosts'];
