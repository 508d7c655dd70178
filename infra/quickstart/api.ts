/** The public API as any program uses it: bearer token, JSON, problem details turned into readable errors. */

export interface Api {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
}

export const createApi = (base: string, token: () => string): Api => {
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(new URL(`/api/v1${path}`, base), {
      method,
      headers: { authorization: `Bearer ${token()}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text.slice(0, 600)}`);
    return JSON.parse(text) as T;
  };
  return { get: (path) => call('GET', path), post: (path, body) => call('POST', path, body) };
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
