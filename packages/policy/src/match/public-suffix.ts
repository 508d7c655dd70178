/** Names that many strangers share: top-level domains and hosters' suffixes (https://publicsuffix.org, ICANN and private part). */
import { getPublicSuffix } from 'tldts';

/** Whether anybody may get a name directly below it: `com`, `co.uk`, `github.io`, `s3.amazonaws.com`. */
export const isPublicSuffix = (domain: string): boolean => getPublicSuffix(domain, { allowPrivateDomains: true }) === domain;
