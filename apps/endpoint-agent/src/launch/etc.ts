/**
 * What a run sees of /etc: a copy that holds what programs need and nothing that tells of this machine or its people. It is a copy, since a bind for each file would
 * cost a launch more than everything else that is done for it.
 */
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Account } from '../local-api/accounts.ts';

export interface Etc {
  /** Mounted over /etc. */
  readonly folder: string;
  /** The machine's own folders that are mounted in it. */
  readonly shared: readonly string[];
  /** Makes the account known by its name there, and gives places that a plan mounts over something to be mounted over. */
  prepare(account: Account, places: readonly string[]): void;
  /** Takes over what changed on the machine meanwhile. @throws CordonError `launch.etc` */
  renew(): void;
}

/** How the linker, the C library, TLS, terminals and languages find what they need. None of it names a person or this machine. */
const NEEDED =
  `ImageMagick-6, ImageMagick-7, bash.bashrc, bash_completion.d, bashrc, bindresvport.blacklist, ca-certificates, ca-certificates.conf,
  crypto-policies, csh.cshrc, csh.login, debian_version, default/locale, emacs, fedora-release, fonts, gai.conf, gitattributes, gitconfig, gnutls, gtk-2.0, gtk-3.0, host.conf,
  inputrc, issue, java, java-8-openjdk, java-11-openjdk, java-17-openjdk, java-21-openjdk, java-25-openjdk, ld.so.cache, ld.so.conf, ld.so.conf.d, locale.alias, locale.conf,
  locale.gen, localtime, lsb-release, magic, magic.mime, mailcap, manpath.config, maven, mime.types, mtab, mke2fs.conf, nanorc, networks, nsswitch.conf, openmpi, os-release,
  papersize, perl, php, pki/ca-trust, pki/java, pki/tls, profile, profile.d, protocols, python, python2.7, python3, python3.9, python3.10, python3.11, python3.12, python3.13,
  python3.14, R, redhat-release, rpc, rpm, ruby, services, shells, sgml, skel, ssl, system-release, terminfo, texmf, timezone, vim, virc, vulkan, OpenCL, xattr.conf,
  xdg/user-dirs.defaults, xml, zsh, zsh_command_not_found, zshrc, zprofile, zshenv`
    .split(',')
    .map((name) => name.trim());

/** Very many files that tell nothing: a mount each costs less than copying them, and a certificate that is withdrawn is withdrawn at once. */
const LARGE = ['alternatives', 'ssl/certs', 'pki/ca-trust', 'pki/tls/certs'];

/** Keys and passwords lie beside certificates and settings on some machines; a file of such a name is left out wherever it lies. */
const SECRET = /(\.key|\.p12|\.pfx|\.jks|\.keystore|private.*\.pem|passw.*|secret.*|credentials.*|settings.*\.xml)$/i;

const WORLD_READABLE = 0o004;
const LARGEST = 8 * 1024 * 1024;
const DEEPEST = 12;

const FIXED: Readonly<Record<string, string>> = {
  hostname: 'cordon\n',
  hosts: '127.0.0.1 localhost cordon\n::1 localhost\n',
  // Names are resolved by the proxy; a run has no other way out.
  'resolv.conf': '',
  'machine-id': 'c07d0000000000000000000000000000\n',
  passwd: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n',
  group: 'root:x:0:\nnogroup:x:65534:\n',
};

/** Appears whole or not at all, to runs that live too. */
const put = (file: string, content: string | Buffer): void => {
  const next = `${file}.new`;
  fs.rmSync(next, { force: true });
  fs.writeFileSync(next, content, { mode: 0o644, flag: 'wx' });
  fs.chmodSync(next, 0o644);
  fs.renameSync(next, file);
};

/** Like `mkdir -p`, but open to be read whatever this process's mask is. */
const makeFolder = (place: string): void => {
  if (fs.existsSync(place)) return;
  makeFolder(path.dirname(place));
  fs.mkdirSync(place);
  fs.chmodSync(place, 0o755);
};

/** @returns undefined when it is not there */
const kindOf = (place: string): fs.Stats | undefined => fs.lstatSync(place, { throwIfNoEntry: false });

const copyFile = (from: string, to: string, { size, mtimeMs }: fs.Stats): void => {
  const has = kindOf(to);
  if (has?.isFile() === true && has.size === size && has.mtimeMs >= mtimeMs) return;
  // What is no file any more is not opened: a pipe would wait for ever.
  const fd = fs.openSync(from, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK | fs.constants.O_NOFOLLOW);
  try {
    if (fs.fstatSync(fd).isFile()) put(to, fs.readFileSync(fd));
  } finally {
    fs.closeSync(fd);
  }
};

const copyLink = (from: string, to: string): void => {
  const target = fs.readlinkSync(from);
  const has = kindOf(to);
  if (has?.isSymbolicLink() === true && fs.readlinkSync(to) === target) return;
  fs.rmSync(to, { recursive: true, force: true });
  fs.symlinkSync(target, to);
};

/** Copies what everybody may read, and nothing else: this process may be root. */
const copy = (from: string, to: string, shared: readonly string[], depth = 0): void => {
  const stat = kindOf(from);
  if (stat === undefined || shared.includes(from) || depth > DEEPEST || SECRET.test(path.basename(from))) return;
  if (stat.isSymbolicLink()) return copyLink(from, to);
  if ((stat.mode & WORLD_READABLE) === 0) return;
  if (stat.isFile() && stat.size <= LARGEST) return copyFile(from, to, stat);
  if (!stat.isDirectory()) return;
  if (kindOf(to)?.isDirectory() !== true) fs.rmSync(to, { force: true });
  makeFolder(to);
  const names = new Set(fs.readdirSync(from));
  for (const name of names) copy(path.join(from, name), path.join(to, name), shared, depth + 1);
  // A certificate that was withdrawn must not be trusted here for longer.
  for (const name of fs.readdirSync(to)) if (!names.has(name)) fs.rmSync(path.join(to, name), { recursive: true, force: true });
};

/** A name and a home that cannot be more than one field of one line. */
const field = (text: string): string => text.replaceAll(/[:\n\r\0]/g, '_');

/**
 * @param folder of this process's own; whatever lies there is replaced
 * @param source stands for /etc in tests
 */
export const createEtc = (folder: string, source = '/etc'): Etc => {
  const shared = LARGE.map((name) => path.join(source, name)).filter((place) => kindOf(place)?.isDirectory() === true);
  const known = { passwd: new Set(['nobody', 'root']), group: new Set([0, 65_534]) };
  const add = (file: string, line: string): void => put(path.join(folder, file), fs.readFileSync(path.join(folder, file), 'utf8') + line);
  const renewOne = (name: string): void => {
    const [from, to] = [path.join(source, name), path.join(folder, name)];
    if (kindOf(from) === undefined) return fs.rmSync(to, { recursive: true, force: true });
    makeFolder(path.dirname(to));
    copy(from, to, shared);
  };
  const renew = (): void => {
    for (const name of NEEDED)
      try {
        renewOne(name);
      } catch (cause) {
        // What goes away while it is copied is gone at the next time.
        if ((cause as NodeJS.ErrnoException).code !== 'ENOENT')
          throw new CordonError('launch.etc', `the copy of /etc that runs see could not be made in ${folder}: ${String(cause)}`, {
            place: folder,
            cause,
          });
      }
  };
  const placeFor = (place: string): void => {
    const below = path.relative(source, place);
    if (below === '' || below.startsWith('..')) return;
    const here = path.join(folder, below);
    const stat = fs.statSync(place, { throwIfNoEntry: false });
    if (stat === undefined || kindOf(here) !== undefined) return;
    makeFolder(stat.isDirectory() ? here : path.dirname(here));
    if (!stat.isDirectory()) put(here, '');
  };
  fs.rmSync(folder, { recursive: true, force: true });
  makeFolder(folder);
  for (const [name, content] of Object.entries(FIXED)) put(path.join(folder, name), content);
  renew();
  for (const place of shared) placeFor(place);
  return {
    folder,
    shared,
    prepare: ({ name, uid, gid, home }, places) => {
      if (!known.passwd.has(name)) add('passwd', `${field(name)}:x:${uid}:${gid}::${field(home)}:/bin/sh\n`);
      if (!known.group.has(gid)) add('group', `${field(name)}:x:${gid}:\n`);
      known.passwd.add(name);
      known.group.add(gid);
      for (const place of places) placeFor(place);
    },
    renew,
  };
};
