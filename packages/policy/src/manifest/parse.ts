/** Manifest text to document: as strict as policies, with the same errors. */
import { Compile } from 'typebox/compile';
import { checkSection, type Finding } from '../document/check.ts';
import { readDocument, type Locate } from '../document/read.ts';
import { MAX_MANIFEST } from './limits.ts';
import { AgentManifest } from './schema.ts';

const validator = Compile(AgentManifest);

/** Called with what is left of a document whose other parts were refused: anything may be missing. */
const check = ({ needs }: Partial<AgentManifest>): Finding[] =>
  (['required', 'optional'] as const).flatMap((side) => {
    const section = needs?.[side];
    return section === undefined ? [] : checkSection(section, 'allow', ['needs', side]);
  });

/**
 * @param text YAML or JSON, at most 64 KiB; may be hostile
 * @returns the document, and where in the text its parts stand
 * @throws PolicyErrors (code `manifest.invalid`) with every issue
 */
export const parseManifest = (text: string): { readonly document: AgentManifest; readonly locate: Locate } =>
  readDocument(text, { kind: 'manifest', maxBytes: MAX_MANIFEST, schema: AgentManifest, validator, check });
