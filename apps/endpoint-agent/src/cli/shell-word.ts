/** A word as a shell takes it for one: in quotes where it would mean something else. */
export const shellWord = (text: string): string => (/^[\w@%+=:,./~-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`);
