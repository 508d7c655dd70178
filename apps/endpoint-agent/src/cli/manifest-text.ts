/** The manifest that a command is given, as text: the daemon understands it, and reads no file that a user names. */

/** Loads what reads files only when there is one to read. @throws CordonError `file.unreadable`, `file.too-large` */
export const manifestText = async (file: string | undefined): Promise<string | undefined> => {
  if (file === undefined) return undefined;
  const [{ readDocumentFile }, { MAX_MANIFEST }] = await Promise.all([
    import('./documents.ts'),
    import('@cordon/policy/manifest/limits.ts'),
  ]);
  return readDocumentFile(file, MAX_MANIFEST, 'refused');
};
