import { expect, it } from 'vitest';
import { isPublicSuffix, publicSuffixBelow } from './public-suffix.ts';

it.each(['com', 'co.uk', 'github.io', 'pages.dev', 'herokuapp.com', 's3.amazonaws.com', 'workers.dev'])(
  '%s is shared by strangers',
  (domain) => expect(isPublicSuffix(domain)).toBe(true),
);
it.each(['example.com', 'me.github.io', 'example.co.uk', 'github.com'])("%s is somebody's own", (domain) =>
  expect(isPublicSuffix(domain)).toBe(false),
);

it.each([
  ['amazonaws.com', 's3.amazonaws.com'],
  ['eu-west-2.amazonaws.com', 's3.eu-west-2.amazonaws.com'],
  ['amazonaws.com.cn', 's3.cn-north-1.amazonaws.com.cn'],
  ['on.aws', 'lambda-url.us-east-1.on.aws'],
  ['core.windows.net', 'blob.core.windows.net'],
  ['windows.net', 'servicebus.windows.net'],
  ['railway.app', 'up.railway.app'],
])('%s holds %s', (domain, suffix) => expect(publicSuffixBelow(domain)).toBe(suffix));
it.each(['example.com', 'github.com', 'googleusercontent.example', 'me.github.io'])('%s holds no suffix', (domain) =>
  expect(publicSuffixBelow(domain)).toBeUndefined(),
);
