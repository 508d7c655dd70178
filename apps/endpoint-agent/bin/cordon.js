#!/usr/bin/env node
/**
 * The `cordon` command as it is installed. JavaScript, because it turns on Node's cache of compiled modules before the first TypeScript file is read: a start
 * without it takes twice as long. A cache is code, so it lies only where no run can ever write: in the daemon's state folder or the account's own runtime
 * folder, both of the never-grant set, and only if nobody else can write there. Anywhere else the command starts without one.
 */
import module from 'node:module';
import os from 'node:os';
import path from 'node:path';

/** Kept equal to `engines` of the repository; an older Node cannot read the first file of the command. */
const NEEDED = 24;
if (Number.parseInt(process.versions.node, 10) < NEEDED) {
  const pinned = path.join(import.meta.dirname ?? '.', '../../../node_modules/node/bin/node');
  process.stderr.write(
    `cordon: this is Node ${process.versions.node}, and Node ${NEEDED} is needed: start it with the one that npm installed, ${pinned} [cordon.node]\n`,
  );
  process.exit(125);
}

// An import of node:fs would load its streams and promises too.
const { lstatSync, mkdirSync } = process.getBuiltinModule('node:fs');
const { env } = process;
const uid = process.getuid?.();

/** @param {string} folder */
const isOwn = (folder) => {
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && stat.uid === uid && (stat.mode & 0o022) === 0;
};

/** @returns {string | undefined} */
const cacheFolder = () => {
  const state = env['CORDON_AGENT_STATE'] ?? (uid === 0 ? '/var/lib/cordon' : path.join(os.homedir(), '.local/state/cordon'));
  const parent = [state, env['XDG_RUNTIME_DIR']].find((folder) => folder !== undefined && isOwn(folder));
  if (parent === undefined) return undefined;
  const cache = path.join(parent, parent === state ? 'compile-cache' : 'cordon-compile-cache');
  try {
    mkdirSync(cache, { recursive: true, mode: 0o700 });
  } catch {
    return undefined; // a full or read-only disk only makes the start slower
  }
  return isOwn(cache) ? cache : undefined;
};

const cache = cacheFolder();
if (cache !== undefined) module.enableCompileCache(cache);
await import('../src/main.ts');
