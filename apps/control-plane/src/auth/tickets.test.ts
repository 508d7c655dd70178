import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { createSealer } from './sealed.ts';
import { createTickets } from './tickets.ts';

const sealer = createSealer(randomBytes(32), () => new Date('2026-11-24T10:00:00.000Z'));
const ticket = { device: `dev_${'a'.repeat(20)}`, generation: 2, join: { count: 7, last: 'l'.repeat(22), next: 'n'.repeat(22) } };

it('a ticket says what was put into it, and fits into the header that carries it', () => {
  const { secret } = createTickets(sealer).issue(ticket);
  expect(secret).toMatch(/^[A-Za-z0-9_-]{64,320}$/);
  expect(createTickets(sealer).read(secret)).toEqual(ticket);
});

it('what is sealed for something else, or is no ticket, is none', () => {
  const body = Buffer.from(JSON.stringify(ticket));
  expect(createTickets(sealer).read(sealer.seal('session-challenge', '', body).secret)).toBeUndefined();
  expect(createTickets(sealer).read(sealer.seal('ticket', '', Buffer.from('{"device":"dev_1"}')).secret)).toBeUndefined();
  expect(createTickets(sealer).read('')).toBeUndefined();
});
