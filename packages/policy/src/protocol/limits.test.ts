/** Whatever comes from outside is closed and has a limit, everywhere, also in what is added later. */
import { describe, expect, it } from 'vitest';
import { BundleManifest } from '../trust/bundle.ts';
import { CheckpointPayload } from '../trust/checkpoint.ts';
import { HeadStatement } from '../trust/device-head.ts';
import { RootDocument } from '../trust/root.ts';
import { RunStatement } from '../trust/run-statement.ts';
import { RunTokenClaims } from '../trust/run-token.ts';
import * as channel from './channel.ts';
import * as enrollment from './enrollment.ts';
import { MaintenanceGrant, Retired, Retirement } from '../trust/orders.ts';
import * as events from './events.ts';
import * as inventory from './inventory.ts';
import * as orders from './orders.ts';
import * as runTokens from './run-tokens.ts';

interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly items?: Schema;
  readonly maxItems?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}
const schemas = Object.entries<object | string | number>({
  ...channel,
  ...enrollment,
  ...events,
  ...inventory,
  ...orders,
  ...runTokens,
  MaintenanceGrant,
  Retirement,
  Retired,
  BundleManifest,
  CheckpointPayload,
  HeadStatement,
  RootDocument,
  RunStatement,
  RunTokenClaims,
}).flatMap(([name, value]): [string, Schema][] =>
  typeof value === 'object' && ('type' in value || 'anyOf' in value) ? [[name, value as Schema]] : [],
);
/** A pattern of whole strings in which nothing repeats without end. */
const isBounded = (pattern: string): boolean =>
  /^\^.*\$$/s.test(pattern) && !/[*+]|\{\d+,\}/.test(pattern.replaceAll(/\[[^\]]*\]/g, 'c').replaceAll(/\\./g, 'c'));

/** Places without a limit. */
const open = (schema: Schema, place: string): string[] => {
  if (schema.const !== undefined || schema.type === 'boolean' || schema.type === 'null') return [];
  if (schema.anyOf !== undefined) return schema.anyOf.flatMap((option, i) => open(option, `${place}|${i}`));
  switch (schema.type) {
    case 'object':
      return [
        ...(schema.additionalProperties === false ? [] : [`${place} is not closed`]),
        ...Object.entries(schema.properties ?? {}).flatMap(([name, member]) => open(member, `${place}.${name}`)),
      ];
    case 'array':
      return [...(schema.maxItems === undefined ? [`${place} has no most items`] : []), ...open(schema.items ?? {}, `${place}[]`)];
    case 'string':
      return schema.maxLength !== undefined || isBounded(schema.pattern ?? '') ? [] : [`${place} has no most characters`];
    case 'integer':
    case 'number':
      return schema.minimum !== undefined && schema.maximum !== undefined ? [] : [`${place} has no least or no most`];
    case undefined:
    default:
      return [`${place} may be anything`];
  }
};

describe('every schema of the wire and of signed objects', () => {
  it('is found', () => {
    expect(schemas.map(([name]) => name)).toEqual(
      expect.arrayContaining(['StateFrame', 'TelemetryFrame', 'DeviceJwk', 'EnrollRequest', 'RootDocument', 'Egress']),
    );
  });

  it.each(schemas)('%s is closed and has a limit on everything', (name, schema) => {
    expect(open(schema, name)).toEqual([]);
  });

  it('would be noticed without one', () => {
    const loose: Schema = {
      type: 'object',
      properties: {
        text: { type: 'string', pattern: '^[a-z]+$' },
        list: { type: 'array', items: { type: 'integer', minimum: 0 } },
        any: {},
      },
    };
    expect(open(loose, 'x')).toEqual([
      'x is not closed',
      'x.text has no most characters',
      'x.list has no most items',
      'x.list[] has no least or no most',
      'x.any may be anything',
    ]);
  });
});
