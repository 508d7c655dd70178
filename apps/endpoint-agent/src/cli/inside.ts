/** `cordon status`, asked inside a run. */
import type { InsideStatus } from '../local-api/protocol.ts';
import { noticeLine } from '../runs/notice.ts';

/** What a person reads. */
export const insideLines = ({ run, parent, agent, user, levels, notice }: InsideStatus): string[] => [
  `run        ${run}, as ${user}, agent ${agent}`,
  `inside     ${parent ?? 'no other run'}`,
  `nesting    ${levels === 0 ? 'no further level' : `${levels} further levels`}`,
  ...(notice === null ? [] : [`notice     ${noticeLine(notice)}`]),
];
