/** The requests of this device, on disk, until they are withdrawn and the control plane knows. Bounded for each account, so that no run fills it for others. */
import path from 'node:path';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { MAX_OPEN_REQUESTS, type ExceptionRequest, type RequestReply } from '@cordon/policy/protocol/exception-requests.ts';
import { readJson, writeDurably } from '../durable.ts';
import { Asked } from './words.ts';

/** Of one account, that nobody has looked at. */
const MOST_DRAFTS = 20;
const Book = Compile(Type.Array(Asked, { maxItems: 100_000 }));

export interface RequestBook {
  /** @param uid undefined for everybody's */
  list(uid: number | undefined): readonly Asked[];
  /** @returns the one that is kept: what is asked for already is not asked for twice. @throws CordonError `request.too-many` */
  add(asked: Asked): Asked;
  /** A draft becomes its person's request. @throws CordonError `request.unknown`, `request.too-many` */
  confirm(id: string, uid: number | undefined): Asked;
  /** @throws CordonError `request.unknown` */
  withdraw(id: string, uid: number | undefined): Asked;
  /** What the control plane does not know yet. */
  unsent(): readonly ExceptionRequest[];
  answered(reply: RequestReply): void;
}

const isSame = (one: Asked, other: Asked): boolean =>
  one.uid === other.uid &&
  one.access === other.access &&
  one.target === other.target &&
  one.agent === other.agent &&
  one.state !== 'withdrawn';

export const openRequestBook = (stateDir: string): RequestBook => {
  const file = path.join(stateDir, 'requests.json');
  const kept = readJson(file);
  // A damaged book has nothing that anything hangs on: people ask again.
  let all: readonly Asked[] = Book.Check(kept) ? kept : [];
  const write = (next: readonly Asked[]): void => {
    writeDurably(file, JSON.stringify(next));
    all = next;
  };
  const room = (uid: number, state: 'draft' | 'open'): void => {
    const count = all.filter((asked) => asked.uid === uid && asked.state === state).length;
    if (count >= (state === 'draft' ? MOST_DRAFTS : MAX_OPEN_REQUESTS))
      throw new CordonError(
        'request.too-many',
        `there are ${count} ${state === 'draft' ? 'drafts that nobody has looked at' : 'open requests'}: see cordon requests, and withdraw some`,
        { retryable: true },
      );
  };
  const find = (id: string, uid: number | undefined, states: readonly Asked['state'][]): Asked => {
    const found = all.find((asked) => asked.id === id && (uid === undefined || asked.uid === uid) && states.includes(asked.state));
    if (found === undefined)
      throw new CordonError('request.unknown', `there is no ${states.join(' or ')} request ${id} of yours: see cordon requests`);
    return found;
  };
  const replace = (before: Asked, after: Asked): Asked => {
    write(all.map((asked) => (asked === before ? after : asked)));
    return after;
  };
  return {
    list: (uid) => all.filter((asked) => asked.state !== 'withdrawn' && (uid === undefined || asked.uid === uid)),
    add: (asked) => {
      const known = all.find((one) => isSame(one, asked));
      // Whoever asks in person for what a run has drafted asks in their own words.
      if (known !== undefined && (known.state === 'open' || asked.state === 'draft')) return known;
      room(asked.uid, asked.state === 'draft' ? 'draft' : 'open');
      write([...all.filter((one) => one !== known), asked]);
      return asked;
    },
    confirm: (id, uid) => {
      const draft = find(id, uid, ['draft']);
      room(draft.uid, 'open');
      return replace(draft, { ...draft, state: 'open', stored: null });
    },
    withdraw: (id, uid) => {
      const found = find(id, uid, ['draft', 'open']);
      if (found.state === 'open') return replace(found, { ...found, state: 'withdrawn', stored: null });
      write(all.filter((asked) => asked !== found));
      return { ...found, state: 'withdrawn' };
    },
    unsent: () =>
      all.flatMap(({ uid: _uid, stored, state, ...asked }) => (state === 'draft' || stored !== null ? [] : [{ ...asked, state }])),
    answered: ({ id, state, code }) => {
      const found = all.find((asked) => asked.id === id && asked.state === state);
      if (found === undefined || found.stored !== null) return;
      if (state === 'withdrawn') write(all.filter((asked) => asked !== found));
      else replace(found, { ...found, stored: code === undefined });
    },
  };
};
