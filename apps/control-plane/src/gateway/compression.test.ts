import { expect, it } from 'vitest';
import { takesCompression } from './compression.ts';

const BOTH = 'server_no_context_takeover; client_no_context_takeover';
it.each([
  [`permessage-deflate; ${BOTH}`, true],
  [`permessage-deflate; ${BOTH}; client_max_window_bits`, true],
  [`permessage-deflate;client_max_window_bits=15;${BOTH}`, true],
  [`x-other, permessage-deflate; ${BOTH}`, true],
  [`permessage-deflate, permessage-deflate; ${BOTH}`, true],
  // What offers it by habit may send it too.
  ['permessage-deflate', false],
  ['permessage-deflate; client_max_window_bits', false],
  ['permessage-deflate; server_no_context_takeover', false],
  // Our frames use the whole window.
  [`permessage-deflate; ${BOTH}; server_max_window_bits=10`, false],
  [`permessage-deflate; ${BOTH}; unheard_of`, false],
  [`permessage-deflate2; ${BOTH}`, false],
  ['', false],
  [undefined, false],
])('an offer of %j is taken: %s', (offer, taken) => {
  expect(takesCompression(offer)).toBe(taken);
});
