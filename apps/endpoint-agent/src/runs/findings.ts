/** What a launch found about a run: an event for the fleet's administrators, and a word to whoever started the run. */
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { Finding } from '../launch/guard.ts';
import type { Reply } from '../local-api/protocol.ts';

const WORDS: Readonly<Record<Finding['code'], (place: string) => string>> = {
  'run.uncovered': (place) =>
    `the run was ended: something else took the place of ${place}, and what was hidden or protected there was no longer. Deny the folder that holds it, then a replaced file stays hidden`,
  'run.socket': (place) =>
    `${place} is a socket in a folder of this run: whoever listens there can act for whoever connects. Remove it, if it is not yours`,
  'run.planted': (place) =>
    `${place} was made or changed during the run, and programs outside obey it: look at it before you use git, an editor or a shell there`,
};

/** @param who the run, its agent and its user */
export const tellFinding =
  (
    who: { readonly run: string; readonly agent: string; readonly osUser: string },
    report: (event: NewEvent) => void,
    reply: (reply: Reply) => void,
  ) =>
  ({ code, place }: Finding): void => {
    report({ kind: 'run.finding', ...who, code, place: place.slice(0, 4096) });
    reply({ type: 'finding', code, place, message: WORDS[code](place) });
  };
