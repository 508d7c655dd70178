/** The table of lifetimes in the operator's page says what the programs do. */
import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { MAX_APPROVAL_MS } from '@cordon/policy/approval/approval.ts';
import { DEFAULT_GRACE_MS } from '@cordon/policy/settings.ts';
import { CHECKPOINT_LIFETIME_MS, EXPIRED_AFTER_MS } from '@cordon/policy/trust/checkpoint.ts';
import { MAX_MAINTENANCE_MS, MAX_RETIREMENT_MS } from '@cordon/policy/trust/orders.ts';
import { CLOCK_SKEW_MS } from '@cordon/policy/trust/verify.ts';
import { TTL_MS } from '../apps/control-plane/src/auth/sealed.ts';
import { STALE_MS } from '../apps/control-plane/src/compliance/compliance.ts';
import { TOKEN_SECONDS } from '../apps/control-plane/src/enrollment/routes.ts';
import { MANIFEST_LIFETIME_MS } from '../apps/control-plane/src/publishing/bundles.ts';
import { RENEW_EVERY_MS } from '../apps/control-plane/src/publishing/publish.ts';
import { readConfig } from '../apps/endpoint-agent/src/config.ts';
import { TRIAL_MS } from '../apps/endpoint-agent/src/policy-state/trial.ts';
import { SELF_TEST_MS } from '../apps/endpoint-agent/src/self-test/tester.ts';

const UNITS = [
  ['days', 86_400_000, 48 * 3_600_000],
  ['hours', 3_600_000, 2 * 3_600_000],
  ['minutes', 60_000, 2 * 60_000],
  ['seconds', 1000, 0],
] as const;
/** In the largest unit of which there are two or more. */
const words = (ms: number): string => {
  const [name, unit] = UNITS.find(([, one, from]) => ms >= from && ms % one === 0) ?? UNITS[3];
  return ms === unit ? `1 ${name.slice(0, -1)}` : `${ms / unit} ${name}`;
};

const TABLE: Readonly<Record<string, number>> = {
  'Checkpoints are renewed every': RENEW_EVERY_MS,
  'A checkpoint is current for': CHECKPOINT_LIFETIME_MS,
  'Without a newer one a state is stale, and after this expired': EXPIRED_AFTER_MS,
  'A bundle’s manifest is good for': MANIFEST_LIFETIME_MS,
  'A statement may come from ahead of the device’s clock by': CLOCK_SKEW_MS,
  'An approval may be used within, and may allow a way back for': MAX_APPROVAL_MS,
  'A maintenance grant lasts at most': MAX_MAINTENANCE_MS,
  'A retirement waits for its device at most': MAX_RETIREMENT_MS,
  'An enrollment token is good for, unless told otherwise': TOKEN_SECONDS.usual * 1000,
  'and at most': TOKEN_SECONDS.most * 1000,
  'A challenge, and the ticket that follows it': TTL_MS,
  'A device’s key is replaced when it is this old, unless told otherwise': readConfig({}).keyDays * 86_400_000,
  'A new policy is on trial for': TRIAL_MS,
  'Self-tests are made every': SELF_TEST_MS,
  'A device has to enforce a change within, unless a policy gives it more': DEFAULT_GRACE_MS,
  'A device without a sign of life is Stale after': STALE_MS,
};

it('every lifetime stands in the page, as the programs have it, and no other', () => {
  const page = fs.readFileSync(path.join(import.meta.dirname, '../docs/operator.md'), 'utf8');
  const section = page.split('\n## ').find((part) => part.startsWith('Lifetimes\n')) ?? '';
  const rows = [...section.matchAll(/^\| ([^|]+) \| ([^|]+) \|/gm)].slice(1).map(([, what = '', time = '']) => [what, time]);
  expect(Object.fromEntries(rows.filter(([what = '']) => !/^-+$/.test(what)))).toEqual(
    Object.fromEntries(Object.entries(TABLE).map(([what, ms]) => [what, words(ms)])),
  );
});
