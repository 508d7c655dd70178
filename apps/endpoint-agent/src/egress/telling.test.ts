import { expect, it } from 'vitest';
import { LIMITS } from './limits.ts';
import type { FromEgress } from './messages.ts';
import { createTelling } from './telling.ts';

it('a flood of decisions is bounded on its way, and none is uncounted', () => {
  const queue: { message: FromEgress; sent: () => void }[] = [];
  const tell = createTelling((message, sent) => void queue.push({ message, sent }));
  const decide = (run: string): void => tell({ run, verdict: 'denied', host: 'x.example', port: 443, rule: 'r', policy: 'p' });
  for (let i = 0; i < LIMITS.untold + 300; i += 1) decide(i % 3 === 0 ? 'run_a' : 'run_b');
  expect(queue).toHaveLength(LIMITS.untold);
  const told: FromEgress[] = [];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    told.push(next.message);
    next.sent();
  }
  const counted = told.reduce(
    (sum, message) => sum + (message.type === 'decision' ? 1 : message.type === 'untold' ? message.decisions : 0),
    0,
  );
  expect(counted).toBe(LIMITS.untold + 300);
  expect(told.filter(({ type }) => type === 'untold')).toHaveLength(2);
  decide('run_a'); // and everything is told again
  expect(queue).toHaveLength(1);
});
