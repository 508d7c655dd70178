/** The folder of shims on this machine. It and all in it belong to root, or to whoever has it made elsewhere, and nobody else can write there. */
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { writeDurably } from '../durable.ts';
import { ownFolder } from '../own-folder.ts';
import { firstInPath, profileText, shimText, type Shim } from './shim.ts';

export interface ShimPlaces {
  readonly folder: string;
  /** Read by login shells; none where the system has no folder for such files. */
  readonly profile: string | undefined;
  /** What starts `cordon`. */
  readonly command: readonly string[];
}

/** In a script or a folder that others could change, a shim is worse than none. */
const isOurs = (place: string): boolean => {
  const stat = fs.statSync(place, { throwIfNoEntry: false });
  return stat !== undefined && (stat.uid === 0 || stat.uid === process.getuid?.()) && (stat.mode & 0o022) === 0;
};

/** @throws CordonError `shim.unsafe`, `folder.unsafe` */
export const installShims = (shims: readonly Shim[], { folder, profile, command }: ShimPlaces): string[] => {
  const unsafe = command.find((place) => !isOurs(place));
  if (unsafe !== undefined)
    throw new CordonError(
      'shim.unsafe',
      `${unsafe} is not root's alone: a shim would start what others can change. Install Cordon first (cordon install)`,
      { place: unsafe },
    );
  ownFolder(folder);
  const files = shims.map((shim) => {
    const file = path.join(folder, shim.name);
    writeDurably(file, shimText(shim, folder, command));
    fs.chmodSync(file, 0o755);
    return file;
  });
  if (profile !== undefined) {
    fs.mkdirSync(path.dirname(profile), { recursive: true, mode: 0o755 });
    writeDurably(profile, profileText(folder));
    fs.chmodSync(profile, 0o644);
  }
  return files;
};

/** @param shims absent: all, with their folder. @returns what was removed */
export const removeShims = (shims: readonly Shim[] | undefined, { folder, profile }: ShimPlaces): string[] => {
  const names = shims?.map(({ name }) => name) ?? (fs.existsSync(folder) ? fs.readdirSync(folder) : []);
  const files = names.map((name) => path.join(folder, name)).filter((file) => fs.existsSync(file));
  for (const file of files) fs.rmSync(file, { recursive: true });
  const isEmpty = fs.existsSync(folder) && fs.readdirSync(folder).length === 0;
  if (isEmpty) fs.rmdirSync(folder);
  if (profile !== undefined && (isEmpty || shims === undefined)) fs.rmSync(profile, { force: true });
  return files;
};

export interface ShimStatus {
  readonly name: string;
  readonly file: string;
  /** `changed`: it is not what this version would write; `unsafe`: somebody else could change it. */
  readonly state: 'installed' | 'changed' | 'unsafe';
  /** What starts at that name in the PATH that was asked about; null where nothing does. */
  readonly starts: string | null;
}

/** @param searchPath PATH of whoever asks */
export const statusOfShims = (known: readonly Shim[], places: ShimPlaces, searchPath: string): ShimStatus[] => {
  const { folder, command } = places;
  const isProgram = (place: string): boolean => {
    const stat = fs.statSync(place, { throwIfNoEntry: false });
    return stat?.isFile() === true && (stat.mode & 0o111) !== 0;
  };
  const names = fs.existsSync(folder) ? fs.readdirSync(folder).sort() : [];
  return names.map((name) => {
    const file = path.join(folder, name);
    const shim = known.find((candidate) => candidate.name === name);
    const isAsWritten = shim !== undefined && isProgram(file) && fs.readFileSync(file, 'utf8') === shimText(shim, folder, command);
    return {
      name,
      file,
      state: !isOurs(file) || !isOurs(folder) ? 'unsafe' : isAsWritten ? 'installed' : 'changed',
      starts: firstInPath(name, searchPath, isProgram) ?? null,
    };
  });
};
