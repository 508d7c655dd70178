/**
 * The one error of this package and of both apps: a stable code, a message that says what to do, and where.
 * Codes are `area.what` in kebab-case; callers switch on them, people read the message.
 */
export class CordonError extends Error {
  readonly code: string;
  /** JSON pointer, path or field that the error is about. */
  readonly place: string | undefined;
  /** Whether the same call may succeed later without a change. */
  readonly retryable: boolean;

  constructor(code: string, message: string, options: { place?: string; retryable?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CordonError';
    this.code = code;
    this.place = options.place;
    this.retryable = options.retryable ?? false;
  }
}
