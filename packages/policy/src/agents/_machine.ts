/** For tests: a machine as a record of its files. */
import type { OperatingSystem } from '../effective.ts';
import type { Machine } from './installed.ts';

/** @param files by path, with their text; a link is written `-> PLACE` */
export const machineOf = (
  files: Readonly<Record<string, string>>,
  os: OperatingSystem,
): Machine & { readonly reads: readonly string[] } => {
  const separator = os === 'windows' ? '\\' : '/';
  const reads: string[] = [];
  return {
    reads,
    list: (folder) => {
      const below = folder.endsWith(separator) ? folder : folder + separator;
      const names = Object.keys(files).flatMap((file) =>
        file.startsWith(below) ? [file.slice(below.length).split(separator)[0] ?? ''] : [],
      );
      return names.length === 0 ? undefined : [...new Set(names)];
    },
    read: (file) => {
      reads.push(file);
      return files[file];
    },
    resolve: (path) => (files[path]?.startsWith('-> ') === true ? files[path].slice(3) : Object.hasOwn(files, path) ? path : undefined),
  };
};
