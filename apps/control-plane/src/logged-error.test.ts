import { describe, expect, it } from 'vitest';
import { loggedError } from './logged-error.ts';

describe('a failure in the log', () => {
  it('is told by type, code, message, stack and cause, and by nothing else that hangs on it', () => {
    const cause = Object.assign(new TypeError('inner'), { client: { password: 'secret' } });
    const error = Object.assign(new Error('outer', { cause }), { code: '57P01', client: { password: 'secret' }, parameters: ['token'] });
    const told = loggedError(error);
    expect(told).toMatchObject({ type: 'Error', code: '57P01', message: 'outer', cause: { type: 'TypeError', message: 'inner' } });
    expect(Object.keys(told).sort()).toEqual(['cause', 'code', 'message', 'stack', 'type']);
    expect(JSON.stringify(told)).not.toMatch(/secret|token/);
  });

  it('ends where causes go in a circle, and takes what is no error', () => {
    const error = new Error('round');
    error.cause = error;
    expect(JSON.stringify(loggedError(error)).match(/"message":"round"/g)).toHaveLength(5);
    expect(loggedError('text')).toEqual({ type: 'string', message: 'text', stack: '' });
  });
});
