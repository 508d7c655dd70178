/** For tests: what became of an attempt. Anything thrown but a CordonError is a defect and shows as such. */
import { CordonError } from '../errors.ts';

/** @returns the code of the refusal, or `accepted` */
export const codeOf = async (attempt: () => unknown): Promise<string> => {
  try {
    await attempt();
    return 'accepted';
  } catch (error) {
    return error instanceof CordonError ? error.code : `not a CordonError: ${String(error)}`;
  }
};
