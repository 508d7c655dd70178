import { expect, it } from 'vitest';
import { isPublicSuffix } from './public-suffix.ts';

it.each(['com', 'co.uk', 'github.io', 'pages.dev', 'herokuapp.com', 's3.amazonaws.com', 'workers.dev'])(
  '%s is shared by strangers',
  (domain) => expect(isPublicSuffix(domain)).toBe(true),
);
it.each(['example.com', 'me.github.io', 'example.co.uk', 'github.com'])("%s is somebody's own", (domain) =>
  expect(isPublicSuffix(domain)).toBe(false),
);
