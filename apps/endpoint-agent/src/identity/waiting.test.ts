import { describe, expect, it } from 'vitest';
import { launchable } from '../runs/launchable.ts';
import { createWaiting } from './waiting.ts';

const problem = (code: string) => ({ type: 'problem', code, detail: 'x' }) as const;
const EMPTY = { content: { policies: [] } };

describe('why nothing is launched', () => {
  it('is a quarantine only where nothing is in force but an empty bundle: words alone take nothing away', () => {
    const waiting = createWaiting(false);
    waiting.hear(problem('device.quarantined'));
    const under = (state: object | undefined): unknown => {
      const policyState = { crashLoop: () => undefined, current: () => state } as Parameters<typeof launchable>[0];
      return launchable(policyState, waiting, () => new Date(0))();
    };
    const full = { content: { policies: [{}] } };
    expect(under(full)).toBe(full);
    expect(() => under(EMPTY)).toThrow(expect.objectContaining({ code: 'launch.quarantined' }));
    expect(under(undefined)).toBeUndefined();
  });

  it('is a wait for an administrator until a state comes', () => {
    const waiting = createWaiting(false);
    expect(waiting.why()).toBeUndefined();
    waiting.hear(problem('device.pending'));
    expect(waiting.why()?.code).toBe('launch.pending');
    expect(waiting.whyEmpty()).toBeUndefined();
  });
});
