/** Reports of devices for other features. */
import type { Context } from '../context.ts';
import { HeadBook } from './head-book.ts';
import { insertHeads } from './store.ts';

export const createHeadBook = ({ pool, clock, log }: Pick<Context, 'pool' | 'clock' | 'log'>): HeadBook =>
  new HeadBook((heads) => insertHeads(pool, heads), clock, log);
