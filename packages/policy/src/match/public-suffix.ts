/** Names that many strangers share: top-level domains and hosters' suffixes (https://publicsuffix.org, ICANN and private part). */
import { getPublicSuffix } from 'tldts';

/** Whether anybody may get a name directly below it: `com`, `co.uk`, `github.io`, `s3.amazonaws.com`. */
export const isPublicSuffix = (domain: string): boolean => getPublicSuffix(domain, { allowPrivateDomains: true }) === domain;

/** What hosters call their suffixes below a domain of their own. The list can be asked about a name, not for the names below one. */
const CALLED = [
  's3',
  's3.cn-north-1',
  'auth',
  'auth.us-east-1',
  'lambda-url',
  'lambda-url.us-east-1',
  'blob',
  'servicebus',
  'k8s',
  'ip',
  'up',
  'app',
  'apps',
  'my',
  'pages',
  'paas',
  'webpaas',
  'eu',
];

/** @returns a public suffix that lies below a domain, if one is known: a wildcard over `amazonaws.com` covers everybody's `s3.amazonaws.com` */
export const publicSuffixBelow = (domain: string): string | undefined =>
  CALLED.map((name) => `${name}.${domain}`).find((suffix) => isPublicSuffix(suffix));
