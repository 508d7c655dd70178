import { expect, it } from 'vitest';
import { takesCompression } from './compression.ts';

it.each([
  ['permessage-deflate', true],
  ['permessage-deflate; client_max_window_bits', true],
  ['permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=15', true],
  ['x-other, permessage-deflate', true],
  // Our frames use the whole window.
  ['permessage-deflate; server_max_window_bits=10', false],
  ['permessage-deflate; server_max_window_bits=10, permessage-deflate', true],
  ['permessage-deflate; unheard_of', false],
  ['permessage-deflate2', false],
  ['x-permessage-deflate', false],
  ['', false],
  [undefined, false],
])('an offer of %j is taken: %s', (offer, taken) => {
  expect(takesCompression(offer)).toBe(taken);
});
