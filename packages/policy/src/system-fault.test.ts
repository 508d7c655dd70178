import { describe, expect, it } from 'vitest';
import { systemFault } from './system-fault.ts';

const errno = (code: string, path?: string): Error =>
  Object.assign(new Error(`${code}: x, write`), { code, ...(path !== undefined && { path }) });

describe('what the operating system refuses', () => {
  it('says what to do, and where it is known', () => {
    expect(systemFault(errno('ENOSPC'))).toMatchObject({
      code: 'system.refused',
      message: 'the disk is full: free some space, then try again (ENOSPC)',
    });
    expect(systemFault(errno('EACCES', '/srv/x'))?.message).toMatch(/^\/srv\/x: this account may not: .+ \(EACCES\)$/);
  });

  it('leaves everything else alone', () => {
    for (const error of [new Error('x'), errno('ECONNRESET'), errno('constructor'), 'ENOSPC', undefined])
      expect(systemFault(error)).toBeUndefined();
  });
});
