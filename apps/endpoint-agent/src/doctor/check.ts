/** One thing that Cordon needs, and how it stands. */
import { CordonError } from '@cordon/policy/errors.ts';

export interface Check {
  readonly name: string;
  /** warning: it works, and less well or not for long; unknown: it could not be looked at from here. */
  readonly state: 'ok' | 'warning' | 'failed' | 'unknown';
  readonly detail: string;
  /** What to do. */
  readonly mend?: string;
}

export const ok = (name: string, detail: string): Check => ({ name, state: 'ok', detail });
export const failed = (name: string, detail: string, mend: string): Check => ({ name, state: 'failed', detail, mend });
export const warning = (name: string, detail: string, mend: string): Check => ({ name, state: 'warning', detail, mend });
export const unknown = (name: string, detail: string): Check => ({ name, state: 'unknown', detail });

/** A message without its stack. */
export const said = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A look that throws is a check that failed: what an error says of itself tells what to do. */
export const looked = async (
  name: string,
  mend: string,
  look: () => Check | readonly Check[] | Promise<Check | readonly Check[]>,
): Promise<readonly Check[]> => {
  try {
    const found = await look();
    return Array.isArray(found) ? (found as readonly Check[]) : [found as Check];
  } catch (error) {
    return [failed(name, `${said(error)}${error instanceof CordonError ? ` [${error.code}]` : ''}`, mend)];
  }
};
