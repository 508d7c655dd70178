/** Archives that are the same bytes for the same files: POSIX ustar with nothing in it that a machine or a moment could change, compressed by gzip without a name or a time. */
import { gzipSync } from 'node:zlib';
import { CordonError } from '@cordon/policy/errors.ts';

export interface PackedFile {
  /** Below the package's own folder, with `/` between names. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}

const BLOCK = 512;
const NAME = 100;
const PREFIX = 155;

const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, '0')}\0`;

/** IEEE Std 1003.1, pax, "ustar Interchange Format": a long path is cut at a slash into prefix and name. */
const header = (place: string, size: number, mode: number, type: '0' | '5'): Buffer => {
  const cut = Buffer.byteLength(place) <= NAME ? -1 : place.indexOf('/', Buffer.byteLength(place) - NAME - 1);
  const [prefix, name] = cut === -1 ? ['', place] : [place.slice(0, cut), place.slice(cut + 1)];
  if (Buffer.byteLength(name) > NAME || Buffer.byteLength(prefix) > PREFIX)
    throw new CordonError('pack.path', `${place} is too long for an archive`, { place });
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0);
  block.write(octal(mode, 8), 100);
  block.write(octal(0, 8), 108); // owner and group: root, whoever packed it
  block.write(octal(0, 8), 116);
  block.write(octal(size, 12), 124);
  block.write(octal(0, 12), 136); // the time of no change at all
  block.write(' '.repeat(8), 148);
  block.write(type, 156);
  block.write('ustar\x0000', 257, 'latin1');
  block.write(prefix, 345);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
};

const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Every folder on the way to a file, outermost first. */
const foldersOf = (place: string): string[] => {
  const names = place.split('/').slice(0, -1);
  return names.map((_, i) => `${names.slice(0, i + 1).join('/')}/`);
};

/** @param folder the package's own, in which everything lies. @throws CordonError `pack.path` */
export const packArchive = (folder: string, files: readonly PackedFile[]): Buffer => {
  const placed = files.map((file) => ({ ...file, place: `${folder}/${file.path}` })).sort((a, b) => byName(a.place, b.place));
  const folders = [...new Set(placed.flatMap(({ place }) => foldersOf(place)))].sort(byName);
  const blocks: Uint8Array[] = folders.map((place) => header(place, 0, 0o755, '5'));
  for (const { place, bytes, executable } of placed) {
    const rest = bytes.length % BLOCK;
    blocks.push(header(place, bytes.length, executable ? 0o755 : 0o644, '0'), bytes);
    if (rest > 0) blocks.push(Buffer.alloc(BLOCK - rest));
  }
  blocks.push(Buffer.alloc(2 * BLOCK));
  const packed = gzipSync(Buffer.concat(blocks), { level: 6 });
  packed[9] = 255; // RFC 1952 §2.3.1: the system that compressed it is not said
  return packed;
};
