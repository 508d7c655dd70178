/**
 * Frames of a newer control plane: members that this version does not know are passed over, and so are whole kinds. Nothing that counts hangs on them: what devices
 * obey is signed, and what is signed is read by closed schemas. What is known must be exactly what it should be.
 */
import { Compile } from 'typebox/compile';
import { DownFrame } from './channel.ts';

const Down = Compile(DownFrame);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value without members that its JSON Schema does not name. */
const known = (schema: unknown, value: unknown): unknown => {
  if (!isObject(schema)) return value;
  const { properties, items } = schema;
  if (Array.isArray(value)) return value.map((item: unknown) => known(items, item));
  if (!isObject(properties) || !isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) => (Object.hasOwn(properties, name) ? [[name, known(properties[name], member)]] : [])),
  );
};

const SCHEMAS: ReadonlyMap<string, unknown> = new Map(DownFrame.anyOf.map((schema) => [schema.properties.type.const, schema] as const));

/** @returns the frame; `unknown` for one of a kind that this version does not have; undefined for what is no frame */
export const readDown = (value: unknown): DownFrame | 'unknown' | undefined => {
  if (Down.Check(value)) return value;
  if (!isObject(value) || typeof value['type'] !== 'string') return undefined;
  const schema = SCHEMAS.get(value['type']);
  if (schema === undefined) return /^[a-z][a-z.]{0,63}$/.test(value['type']) ? 'unknown' : undefined;
  const frame = known(schema, value);
  return Down.Check(frame) ? frame : undefined;
};
