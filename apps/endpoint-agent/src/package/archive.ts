/** Reads an archive that `npm run pack:agent` made: POSIX ustar below gzip, with files and folders and nothing else. Only bytes whose digest is signed come here. */
import { gunzipSync } from 'node:zlib';
import { CordonError } from '@cordon/policy/errors.ts';

export interface ArchiveFile {
  readonly path: string;
  readonly bytes: Buffer;
}

const BLOCK = 512;
/** Unpacked. */
const MAX_BYTES = 1024 ** 3;

const refuse = (why: string): never => {
  throw new CordonError('package.archive', `the archive cannot be read: ${why}`);
};

const text = (block: Buffer, from: number, length: number): string => {
  const field = block.subarray(from, from + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? length : end);
};

const inflate = (archive: Uint8Array): Buffer => {
  try {
    return gunzipSync(archive, { maxOutputLength: MAX_BYTES });
  } catch (cause) {
    throw new CordonError('package.archive', 'the archive cannot be read: it is not gzip, or too large', { cause });
  }
};

/** @param folder the one in which everything lies; paths are given below it. @throws CordonError `package.archive` */
export const readArchive = (archive: Uint8Array, folder: string): readonly ArchiveFile[] => {
  const bytes = inflate(archive);
  const files: ArchiveFile[] = [];
  for (let at = 0; at + BLOCK <= bytes.length;) {
    const block = bytes.subarray(at, at + BLOCK);
    if (block.every((byte) => byte === 0)) return files;
    const [prefix, name] = [text(block, 345, 155), text(block, 0, 100)];
    const place = prefix === '' ? name : `${prefix}/${name}`;
    const digits = text(block, 124, 12);
    if (!/^[0-7]{1,11}$/.test(digits)) refuse('a size is not a number');
    const size = Number.parseInt(digits, 8);
    const kind = String.fromCharCode(block[156] ?? 0);
    if (!place.startsWith(`${folder}/`)) refuse(`${JSON.stringify(place)} is not below ${folder}`);
    if (kind !== '0' && kind !== '5') refuse(`${JSON.stringify(place)} is neither a file nor a folder`);
    at += BLOCK;
    if (at + size > bytes.length) refuse('it ends in the middle of a file');
    if (kind === '0') files.push({ path: place.slice(folder.length + 1), bytes: bytes.subarray(at, at + size) });
    at += Math.ceil(size / BLOCK) * BLOCK;
  }
  return refuse('it has no end');
};
