import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CordonError } from '@cordon/policy/errors.ts';
import { persist } from './persist.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const fault = (code: string, retryable: boolean): CordonError => new CordonError(code, 'refused', { retryable });

describe('joining unattended', () => {
  it('asks again after what may pass, each time later, and ends with the answer', async () => {
    const outcomes = [fault('server.unreachable', true), fault('request.too-many', true), fault('enroll.again', false)];
    const said: string[] = [];
    const attempt = vi.fn(async () => {
      const next = outcomes.shift();
      if (next !== undefined) throw next;
      return 'joined';
    });
    const joined = persist(attempt, { signal: new AbortController().signal, random: () => 0.999, log: (message) => said.push(message) });
    for (const ms of [999, 1998, 3996]) await vi.advanceTimersByTimeAsync(ms);
    expect(await joined).toBe('joined');
    expect(attempt).toHaveBeenCalledTimes(4);
    expect(said).toEqual([
      'not enrolled yet: refused [server.unreachable]; again in 1 s',
      'not enrolled yet: refused [request.too-many]; again in 2 s',
      'not enrolled yet: refused [enroll.again]; again in 4 s',
    ]);
  });

  it.each(['enroll.token-used', 'root.fingerprint', 'token.malformed'])('gives up at once after %s', async (code) => {
    const attempt = vi.fn(() => Promise.reject(fault(code, false)));
    const options = { signal: new AbortController().signal, random: () => 0.5, log: () => undefined };
    await expect(persist(attempt, options)).rejects.toThrow(expect.objectContaining({ code }));
    expect(attempt).toHaveBeenCalledTimes(1);
  });

  it('ends when it is told to, with what was wrong last', async () => {
    const stop = new AbortController();
    const joined = persist(() => Promise.reject(fault('server.unreachable', true)), {
      signal: stop.signal,
      random: () => 0.999,
      log: () => undefined,
    });
    const refused = expect(joined).rejects.toThrow(expect.objectContaining({ code: 'server.unreachable' }));
    await vi.advanceTimersByTimeAsync(500);
    stop.abort();
    await refused;
  });
});
