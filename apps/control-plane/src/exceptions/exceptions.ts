/** Exceptions for other features: what still hangs on a group. */
export { countLiving as countExceptions } from './store.ts';
