/** What may be asked about the agents of this machine, and what is answered. */
import { Type, type Static } from 'typebox';
import type { Uncontained } from '@cordon/policy/effective.ts';
import type { Inventory } from '@cordon/policy/protocol/inventory.ts';

export const AGENTS_REQUEST = Type.Object({ op: Type.Literal('agents') }, { additionalProperties: false });
export type AgentsRequest = Static<typeof AGENTS_REQUEST>;

export interface AgentsReport extends Inventory {
  /** When the installed ones were listed; what runs is of this moment. */
  readonly listedAt: string;
  /** What the policy of this device says of each agent that was seen outside containment. */
  readonly policy: Readonly<Record<string, Uncontained>>;
}

export interface AgentsReply {
  readonly type: 'agents';
  readonly report: AgentsReport;
}
