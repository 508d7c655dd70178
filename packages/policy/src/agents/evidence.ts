/** Where a datum of a profile comes from. The short names keep one datum on one line. */

/** The day of the first survey. A datum read again later names its own day. */
const FIRST_SURVEY = '2026-11-24';

/** A copy of the source was read on that day and says exactly this. */
export const seen = <const S extends string>(source: S, checked: string = FIRST_SURVEY) => ({ source, checked, verified: true }) as const;

/** Believed, not confirmed: the source is where a reader would look, or it says so only in part. */
export const unseen = <const S extends string>(source: S, checked: string = FIRST_SURVEY) =>
  ({ source, checked, verified: false }) as const;

export const EVERY_OS = ['linux', 'macos', 'windows'] as const;
export const UNIX = ['linux', 'macos'] as const;

/** Homebrew's recipes name programs, bundle ids and the places an uninstall would empty. */
export const CASKS = 'https://github.com/Homebrew/homebrew-cask/blob/HEAD/Casks';
export const FORMULAE = 'https://github.com/Homebrew/homebrew-core/blob/HEAD/Formula';
/** Inventories that others maintain: MCP configuration files, folders by which an agent is detected, endpoints. */
export const MCP_GATEWAY = 'https://github.com/docker/mcp-gateway/blob/HEAD/pkg/client/config.yml';
export const AGENT_SCAN = 'https://github.com/snyk/agent-scan/blob/HEAD/src/agent_scan/well_known_clients.py';
export const SKILLS = 'https://github.com/vercel-labs/skills/blob/HEAD/src/agents.ts';
export const OPENSHELL = 'https://github.com/NVIDIA/OpenShell/blob/HEAD/providers';
