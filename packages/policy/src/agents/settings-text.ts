/** Settings files of agents as values. They are the user's, so anything may stand in them: what cannot be read is undefined, never half read. */
import { parse as parseToml } from 'smol-toml';
import { parseDocument } from 'yaml';

/** A character of JSONC text that is not in a string: comments become spaces, so do commas before a closing bracket. */
const plainJson = (text: string): string => {
  const tokens = /"(?:[^"\\]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  const bare = text.replaceAll(tokens, (token) => (token.startsWith('"') ? token : ' '));
  return bare.replaceAll(/"(?:[^"\\]|\\.)*"|,(?=\s*[}\]])/g, (token) => (token === ',' ? ' ' : token));
};

const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  json: (text) => JSON.parse(plainJson(text.replace(/^\uFEFF/, ''))) as unknown,
  toml: (text) => parseToml(text),
  yaml: (text) => {
    const document = parseDocument(text, { logLevel: 'silent' });
    return document.errors.length > 0 ? undefined : (document.toJS({ maxAliasCount: 100 }) as unknown);
  },
};
const FORMATS: Readonly<Record<string, string>> = { json: 'json', jsonc: 'json', toml: 'toml', yaml: 'yaml', yml: 'yaml' };

/** @param file its name says the format. @returns undefined for what is no such text, or of no format that is known */
export const readSettings = (file: string, text: string): unknown => {
  const format = FORMATS[/\.([a-z]+)$/i.exec(file)?.[1]?.toLowerCase() ?? ''];
  if (format === undefined) return undefined;
  try {
    return READERS[format]?.(text);
  } catch {
    return undefined; // a file that its agent cannot read either
  }
};
