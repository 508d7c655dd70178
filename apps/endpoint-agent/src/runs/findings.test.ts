import { expect, it } from 'vitest';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { Reply } from '../local-api/protocol.ts';
import { tellFinding } from './findings.ts';

it.each(['run.uncovered', 'run.socket', 'run.planted'] as const)('%s is an event, and a word that names the place', (code) => {
  const events: NewEvent[] = [];
  const replies: Reply[] = [];
  const who = { run: 'run_1', agent: 'claude-code', osUser: 'ada' };
  const place = `/srv/app/${'x'.repeat(5000)}`;
  tellFinding(
    who,
    (event) => events.push(event),
    (reply) => replies.push(reply),
  )({ code, place });
  expect(events).toEqual([{ kind: 'run.finding', ...who, code, place: place.slice(0, 4096) }]);
  expect(replies).toEqual([{ type: 'finding', code, place, message: expect.stringContaining(place) as unknown }]);
});
