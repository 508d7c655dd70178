/** The public API as any program uses it: bearer token, JSON, problem details turned into readable errors. */

export interface Api {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  /** For what is expected to be refused. @returns the code of the problem; undefined when it was done */
  refused(path: string, body: unknown): Promise<string | undefined>;
}

/** How long a service that was ended has to come back. */
const BACK_MS = 30_000;

/** What may be asked again although an answer was lost: asking twice does no more than once. */
const REPEATABLE = /^\/publish$|^\/proposals$|\/revisions$/;

const causeOf = (error: unknown): string | undefined => {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  return typeof cause === 'object' && cause !== null && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
};

export const createApi = (base: string, token: () => string): Api => {
  const once = async (method: string, path: string, body: unknown): Promise<{ readonly status: number; readonly text: string }> => {
    const response = await fetch(new URL(`/api/v1${path}`, base), {
      method,
      headers: { authorization: `Bearer ${token()}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, text: await response.text() };
  };
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const repeatable = method === 'GET' || REPEATABLE.test(path);
    for (const end = Date.now() + BACK_MS; ;) {
      try {
        const { status, text } = await once(method, path, body);
        if (status < 300) return JSON.parse(text) as T;
        // Unavailable says that nothing was changed.
        if (status !== 503 || Date.now() > end) throw new Error(`${method} ${path} answered ${status}: ${text.slice(0, 600)}`);
      } catch (error) {
        const gone = causeOf(error);
        // Nobody listens: nothing was received. An answer that was lost on its way is another matter.
        if (gone === undefined || Date.now() > end || !(repeatable || gone === 'ECONNREFUSED')) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  return {
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    refused: async (path, body) => {
      try {
        await call('POST', path, body);
        return undefined;
      } catch (error) {
        const [, code] = /"code":"([a-z.-]+)"/.exec(error instanceof Error ? error.message : '') ?? [];
        if (code === undefined) throw error;
        return code;
      }
    },
  };
};

/** Asks again until the answer is there. @throws when the time is over, with what was last seen */
export const until = async <T>(what: string, ms: number, ask: () => Promise<T | undefined>): Promise<T> => {
  const end = Date.now() + ms;
  let last: unknown = 'nothing yet';
  while (Date.now() < end) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${what}: not within ${ms / 1000} s; last seen: ${last instanceof Error ? last.message : String(last)}`);
};
