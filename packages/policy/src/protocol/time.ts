import { Type } from 'typebox';

const MONTH_AND_DAY = '(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|[12]\\d))';

/**
 * An instant exactly as `Date.toISOString` writes it, milliseconds and Z included (a profile of RFC 3339). Only what `Date.parse` understands passes:
 * an impossible time would be NaN, and every comparison with NaN is false, also the one that should find something expired.
 */
export const Time = Type.String({
  pattern: `^\\d{4}-${MONTH_AND_DAY}T(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d\\.\\d{3}Z$`,
  maxLength: 24,
});
