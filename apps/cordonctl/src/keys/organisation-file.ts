/** What an organisation's server starts from, and what every change of its root goes on from: public documents only. */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { rootFingerprint, verifyRootChain, type TrustedRoot } from '@cordon/policy/trust/root.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';
import { readText } from '../files.ts';

const OrganisationFile = Type.Object(
  {
    format: Type.Literal('cordon-organisation/1'),
    org: Type.String({ maxLength: 64 }),
    roots: Type.Array(Type.String({ maxLength: 65_536 }), { minItems: 1, maxItems: 256 }),
    floor: Type.String({ maxLength: 262_144 }),
  },
  { additionalProperties: false },
);
export type OrganisationFile = Static<typeof OrganisationFile>;
const validator = Compile(OrganisationFile);

export interface Organisation extends OrganisationFile {
  readonly fingerprint: string;
  readonly trusted: TrustedRoot;
}

/** @throws CordonError `organisation.file`, `root.*` */
export const readOrganisation = async (file: string, now: Date): Promise<Organisation> => {
  const value = parseStrictJson(readText(file), { maxBytes: 20_000_000, maxDepth: 4 });
  if (!validator.Check(value))
    throw new CordonError('organisation.file', `${file} is not an organisation.json that cordonctl wrote`, { place: file });
  const fingerprint = rootFingerprint(value.roots[0] ?? '');
  return { ...value, fingerprint, trusted: await verifyRootChain(value.roots, fingerprint, now) };
};

export const organisationText = ({ org, roots, floor }: Omit<OrganisationFile, 'format'>): string =>
  `${JSON.stringify({ format: 'cordon-organisation/1', org, roots, floor }, null, 1)}\n`;
