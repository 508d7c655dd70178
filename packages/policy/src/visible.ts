/** Foreign text made harmless for a terminal: names of hosts, files, devices and policies are somebody else's. Control and bidirectional characters become `\uXXXX`. */
export const visible = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
