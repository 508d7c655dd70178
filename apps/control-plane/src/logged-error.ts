/** What the log says of a failure: drivers hang whole connections, with what was sent on them, onto their errors. */

/** A type, not an interface: the logger asks for what any key may be read from. */
export type LoggedError = {
  readonly type: string;
  readonly code?: string;
  readonly message: string;
  readonly stack: string;
  readonly cause?: LoggedError;
};

const CAUSES = 4;

/** @param depth how many causes are told */
const told = (error: unknown, depth: number): LoggedError => {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error), stack: '' };
  const { name, message, stack = '', cause } = error;
  return {
    type: name,
    ...('code' in error && typeof error.code === 'string' && { code: error.code }),
    message,
    stack,
    ...(cause !== undefined && depth > 0 && { cause: told(cause, depth - 1) }),
  };
};

export const loggedError = (error: unknown): LoggedError => told(error, CAUSES);
