/** What a scan is asked, and what it answers: the daemon knows these, and loads nothing of the scan itself. */
import type { OperatingSystem } from '@cordon/policy/effective.ts';
import { InstalledAgent, McpServer } from '@cordon/policy/protocol/inventory.ts';
import { Type, type Static } from 'typebox';

/** Of each list. */
export const MOST = 512;

/** Of a scan. Its limits are wider than those of a report, so that what had no room there can be counted. */
export const AccountScan = Type.Object(
  {
    agents: Type.Array(Type.Omit(InstalledAgent, ['running']), { maxItems: MOST }),
    servers: Type.Array(McpServer, { maxItems: MOST }),
    programs: Type.Array(Type.Object({ agent: Type.String({ maxLength: 64 }), file: Type.String({ maxLength: 4096 }) }), {
      maxItems: MOST,
    }),
  },
  { additionalProperties: false },
);
export type AccountScan = Static<typeof AccountScan>;

export interface Whose {
  readonly os: OperatingSystem;
  /** Empty: the machine's. */
  readonly user: string;
  readonly home?: string | undefined;
  /** Folders in which its agents work, as far as that is known. */
  readonly workspaces: readonly string[];
}
