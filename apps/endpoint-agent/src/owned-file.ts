/** Files that decide something about this device: regular, of root or of this account, and nobody else's to change. */
import fs from 'node:fs';
import { CordonError } from '@cordon/policy/errors.ts';

export interface Demands {
  readonly maxBytes: number;
  /** Nobody else may read it either. */
  readonly secret: boolean;
  /** What whoever writes it decides. */
  readonly because: string;
}

/** Checks the file that is open, and gives it to `use`. @throws CordonError `file.unreadable`, `file.unsafe`, `file.too-large` */
export const ownedFile = <T>(file: string, { maxBytes, secret, because }: Demands, use: (fd: number) => T): T => {
  let fd: number;
  try {
    fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    const why = { ENOENT: 'it is not there', EACCES: 'this user may not read it' }[code] ?? code;
    throw new CordonError('file.unreadable', `${file} cannot be read (${why})`, { place: file, cause });
  }
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isFile()) throw new CordonError('file.unreadable', `${file} is not a regular file`, { place: file });
    if (stat.size > maxBytes) throw new CordonError('file.too-large', `${file} has more than ${maxBytes} bytes`, { place: file });
    if (process.platform !== 'win32') {
      if (stat.uid !== 0 && stat.uid !== process.getuid?.())
        throw new CordonError('file.unsafe', `${file} must belong to root or to this account: ${because}`, { place: file });
      if ((stat.mode & (secret ? 0o077 : 0o022)) !== 0)
        throw new CordonError(
          'file.unsafe',
          `${file} must not be ${secret ? 'readable or ' : ''}writable by others: set its mode to ${secret ? '0600' : '0644'}`,
          { place: file },
        );
    }
    return use(fd);
  } finally {
    fs.closeSync(fd);
  }
};
