/** Of a manifest's text, in bytes: a daemon reads it for whoever asks. In a file of its own, so that a command can say it without the parser. */
export const MAX_MANIFEST = 65_536;
