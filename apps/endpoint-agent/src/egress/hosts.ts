/** Fixed addresses of hosts, from a file of the administrator: used before DNS. */
import fs from 'node:fs';
import { CordonError } from '@cordon/policy/errors.ts';

/** @param file a JSON object of host to address. @throws CordonError `config.hosts` */
export const readHosts = (file: string | undefined): Readonly<Record<string, string>> => {
  if (file === undefined) return {};
  const value: unknown = JSON.parse(fs.readFileSync(file, 'utf8'));
  if (typeof value !== 'object' || value === null || Object.values(value).some((v) => typeof v !== 'string'))
    throw new CordonError('config.hosts', `${file} must be a JSON object of host to address`, { place: file });
  return value as Readonly<Record<string, string>>;
};
