/** Policies and manifests as files: read with care, and what is wrong with them printed where it stands. */
import fs from 'node:fs';
import { CordonError } from '@cordon/policy/errors.ts';
import { PolicyErrors, type PolicyIssue } from '@cordon/policy/document/issues.ts';
import { visible } from '@cordon/policy/visible.ts';

export const INVALID_STATUS = 2;

const WHY_NOT: Readonly<Record<string, string>> = {
  ELOOP: 'it is a symbolic link; name the file itself',
  ENOENT: 'it is not there',
  EACCES: 'this user may not read it',
};

/**
 * A regular file, whatever is put in its place while it is opened: never a pipe that would hang, nor a link unless it may be one.
 * @throws CordonError `file.unreadable`, `file.too-large`
 */
export const readDocumentFile = (file: string, maxBytes: number, links: 'followed' | 'refused'): string => {
  const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = fs.constants;
  let fd: number;
  try {
    fd = fs.openSync(file, O_RDONLY | O_NONBLOCK | (links === 'refused' ? O_NOFOLLOW : 0));
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    throw new CordonError('file.unreadable', `${file} cannot be read (${WHY_NOT[code] ?? code})`, { place: file, cause });
  }
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isFile()) throw new CordonError('file.unreadable', `${file} is not a regular file`, { place: file });
    if (stat.size > maxBytes) throw new CordonError('file.too-large', `${file} has more than ${maxBytes} bytes`, { place: file });
    return fs.readFileSync(fd, 'utf8');
  } finally {
    fs.closeSync(fd);
  }
};

export interface Notice extends PolicyIssue {
  readonly file: string;
  readonly severity: 'error' | 'warning';
}

/** `FILE:LINE:COLUMN: message [code] (pointer)`, or one JSON object a line. */
export const printNotices = (notices: readonly Notice[], json: boolean, out: NodeJS.WritableStream = process.stdout): void => {
  for (const { file, severity, code, pointer, line, column, message } of notices) {
    const text = json
      ? JSON.stringify({ file, severity, code, pointer, line, column, message })
      : visible(
          `${file}:${line}:${column}: ${severity === 'warning' ? 'warning: ' : ''}${message} [${code}]${pointer === '' ? '' : ` (${pointer})`}`,
        );
    out.write(`${text}\n`);
  }
};

/** Checks each file by itself. @param check throws PolicyErrors, or returns warnings. @returns the exit status: 0 valid, 2 not */
export const checkFiles = (
  files: readonly string[],
  maxBytes: number,
  json: boolean,
  check: (text: string) => readonly PolicyIssue[],
): number => {
  let status = 0;
  for (const file of files) {
    try {
      const warnings = check(readDocumentFile(file, maxBytes, 'followed'));
      printNotices(
        warnings.map((issue) => ({ file, severity: 'warning', ...issue })),
        json,
      );
      if (!json) process.stdout.write(`${visible(file)}: valid\n`);
    } catch (error) {
      if (!(error instanceof CordonError)) throw error;
      const { code, message } = error;
      const issues = error instanceof PolicyErrors ? error.issues : [{ code, pointer: '', line: 0, column: 0, message }];
      printNotices(
        issues.map((issue) => ({ file, severity: 'error', ...issue })),
        json,
      );
      status = INVALID_STATUS;
    }
  }
  return status;
};
