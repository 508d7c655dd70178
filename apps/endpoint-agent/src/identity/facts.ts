/** What this device says of itself. */
import os from 'node:os';
import type { DeviceFacts } from '@cordon/policy/protocol/enrollment.ts';
import { AGENT_VERSION } from '../version.ts';

export { AGENT_VERSION };

const systems: Readonly<Record<string, DeviceFacts['os']>> = { linux: 'linux', darwin: 'macos', win32: 'windows' };

export const deviceFacts = (): DeviceFacts => ({
  name: os.hostname().slice(0, 128) || 'unnamed',
  os: systems[process.platform] ?? 'linux',
  osVersion: os.release().slice(0, 128),
  arch: process.arch,
  agentVersion: AGENT_VERSION,
  assurance: process.getuid?.() === 0 ? 'system' : 'user',
  language: 'cordon/v1',
});
