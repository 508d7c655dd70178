/** Names under which keys and passwords are kept, wherever they lie: for telling an approver, never for deciding. */
import { NEVER_GRANT } from '../builtin.ts';

const HOME = '${home}/';

/** Where the built-in set finds credentials below a home, as lower-case segments. */
const KNOWN: readonly (readonly string[])[] = [
  ...new Set(
    Object.values(NEVER_GRANT)
      .flat()
      .filter((text) => text.startsWith(HOME))
      .map((text) => text.slice(HOME.length).toLowerCase()),
  ),
].map((rest) => rest.split('/'));

const TELLING =
  /^\.env(\..+)?$|^id_(rsa|dsa|ecdsa|ed25519)|\.(pem|key|p12|pfx|jks|keystore|kdbx|ovpn|asc)$|(^|[._-])(secrets?|credentials?|passwords?|passwd|tokens?|keyrings?|private[._-]?keys?)([._-]|$)/;

/** Whether a part of the path is a known place of credentials in anybody's home: `/home/other/.ssh/id`. */
export const isCredentialPlace = (path: string): boolean => {
  const segments = path.toLowerCase().split(/[\\/]/);
  return KNOWN.some((known) => segments.some((_, at) => known.every((name, i) => segments[at + i] === name)));
};

/** Whether a path reads like one that holds credentials. @param path canonical */
export const isCredentialLike = (path: string): boolean =>
  isCredentialPlace(path) ||
  path
    .toLowerCase()
    .split(/[\\/]/)
    .some((segment) => TELLING.test(segment));
