import { CordonError } from '@cordon/policy/errors.ts';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { isDatabaseGone, isPoison } from './db/faults.ts';
import { Prisma } from './db/generated/client.ts';
import { badRequest, conflict, describe as describeError, notFound, Refusal } from './errors.ts';

const database = (code: string): pg.DatabaseError => Object.assign(new pg.DatabaseError('x', 0, 'error'), { code });
const known = (code: string, originalCode?: string): Error =>
  new Prisma.PrismaClientKnownRequestError('x', {
    code,
    clientVersion: '7',
    ...(originalCode !== undefined && { meta: { driverAdapterError: new Error('driver', { cause: { originalCode } }) } }),
  });
const outcome = (error: unknown): [number, string] => {
  const { status, code } = describeError(error);
  return [status, code];
};

describe('a failure as an answer', () => {
  it.each<[string, unknown, [number, string]]>([
    ['a refusal', new Refusal(418, 'tea.pot', 'x'), [418, 'tea.pot']],
    ['a bad request', badRequest('a.b', 'x'), [400, 'a.b']],
    ['something that is not there', notFound('device', 'dev_1'), [404, 'device.not-found']],
    ['a conflict', conflict('a.b', 'x'), [409, 'a.b']],
    ['bad input found further in', new CordonError('policy.path', 'x'), [400, 'policy.path']],
    ['a signer that is down', new CordonError('signer.unavailable', 'x'), [503, 'signer.unavailable']],
    ['a serial that would fall', new CordonError('signer.rollback', 'x'), [409, 'signer.rollback']],
    ['a publish that is too large', new CordonError('publish.too-large', 'x'), [422, 'publish.too-large']],
    ['nothing published yet', new CordonError('publish.not-ready', 'x'), [503, 'publish.not-ready']],
    ['a fault of ours with a code', new CordonError('merkle.index', 'secret detail'), [500, 'internal']],
    ['a name that is taken', known('P2002'), [409, 'request.duplicate']],
    ['something removed meanwhile', known('P2003'), [409, 'request.conflict']],
    ['NUL through Prisma', known('P2039', '22021'), [400, 'request.text']],
    ['NUL through the driver', database('22021'), [400, 'request.text']],
    ['a deadlock', database('40P01'), [503, 'db.busy']],
    ['a database that shuts down', known('P2039', '57P01'), [503, 'db.unavailable']],
    ['no connection', Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), [503, 'db.unavailable']],
    ['no connection, further in', new Error('x', { cause: new Error('Connection terminated unexpectedly') }), [503, 'db.unavailable']],
    ['no connection free in time', new Error('timeout exceeded when trying to connect'), [503, 'db.unavailable']],
    ['whatever else', new Error('password=hunter2'), [500, 'internal']],
    ['what is not even an error', 'password=hunter2', [500, 'internal']],
  ])('%s', (_name, error, expected) => expect(outcome(error)).toEqual(expected));

  it('never tells the details of what was not expected', () => {
    for (const error of [new Error('password=hunter2'), new CordonError('merkle.index', 'secret detail'), 'hunter2'])
      expect(JSON.stringify(describeError(error))).not.toMatch(/hunter2|secret/);
  });

  it('names what may stand where another value stood, once for each place', () => {
    const validation = [
      ...['include', 'exclude'].map((allowedValue) => ({
        instancePath: '/mode',
        message: 'must be equal to constant',
        params: { allowedValue },
      })),
      { instancePath: '/mode', message: 'must match a schema in anyOf', params: {} },
      { instancePath: '/state', message: 'must be equal to one of the allowed values', params: { allowedValues: ['Stale', 'Error'] } },
      { instancePath: '/limit', message: 'must be <= 500', params: { limit: 500 } },
    ];
    const { detail, errors } = describeError(Object.assign(new Error('x'), { validation, validationContext: 'body', statusCode: 400 }));
    expect(detail).toBe('body/mode must be one of "include", "exclude"');
    expect(errors).toEqual([
      { pointer: '/mode', message: 'must be one of "include", "exclude"' },
      { pointer: '/state', message: 'must be one of "Stale", "Error"' },
      { pointer: '/limit', message: 'must be <= 500' },
    ]);
  });

  it('names of an id no more than an id can be', () =>
    expect(describeError(notFound('device', 'x'.repeat(5000))).detail.length).toBeLessThan(120));
});

describe('what a failure of the database means', () => {
  it('tells bad data, which will never be taken, from a database that is gone', () => {
    for (const code of ['22021', '22P05', '23503', '23514'])
      expect([isPoison(database(code)), isDatabaseGone(database(code))]).toEqual([true, false]);
    for (const code of ['57P01', '08006']) expect([isPoison(database(code)), isDatabaseGone(database(code))]).toEqual([false, true]);
    for (const error of [new Error('x'), undefined, null, 'text', { code: '22021' }])
      expect([isPoison(error), isDatabaseGone(error)]).toEqual([false, false]);
  });
});
