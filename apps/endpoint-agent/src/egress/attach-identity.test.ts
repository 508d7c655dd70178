import { describe, expect, it } from 'vitest';
import { codeOf } from '@cordon/policy/trust/_refusal.ts';
import type { LiveRun } from '../runs/run-table.ts';
import { attachIdentity } from './attach-identity.ts';

const runOf = (id: string): LiveRun => ({ run: { run: id } as Partial<LiveRun['run']> as LiveRun['run'] }) as Partial<LiveRun> as LiveRun;

describe('what is attached for a run', () => {
  const [mine, other] = [runOf('run_1'), runOf('run_2')];
  const asked: (readonly [run: string, audience: string, delivery: string])[] = [];
  let runs = [mine, other];
  const attach = attachIdentity({ all: () => runs }, () => ({
    tokenFor: async (live, audience, delivery) => {
      asked.push([live.run.run, audience, delivery]);
      return { token: `token-of-${live.run.run}`, audience, expiresAt: '' };
    },
  }));

  it('is its own token for exactly that host, by a way on which it never sees it', async () => {
    expect(await attach('run_2', 'api.example.com')).toEqual({ name: 'authorization', value: 'Bearer token-of-run_2' });
    expect(await attach('run_1', '2001:db8::1')).toEqual({ name: 'authorization', value: 'Bearer token-of-run_1' });
    expect(asked).toEqual([
      ['run_2', 'https://api.example.com', 'proxy'],
      ['run_1', 'https://[2001:db8::1]', 'proxy'],
    ]);
  });

  it('is nothing for a run that lives no more', async () => {
    runs = [mine];
    expect(await codeOf(() => attach('run_2', 'api.example.com'))).toBe('identity.run-ended');
  });
});
