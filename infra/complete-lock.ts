/**
 * Completes package-lock.json with the optional platform packages that the registry in use did not offer when the lock was made, so that `npm ci`
 * accepts it everywhere. npm skips a package whose os, cpu or libc is not this machine's before it fetches anything.
 * Run after every `npm install` that changes the lock: node infra/complete-lock.ts
 */
import fs from 'node:fs';
import path from 'node:path';

interface Entry {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly [key: string]: unknown;
}

const file = path.join(import.meta.dirname, '../package-lock.json');
const lock: { packages: Record<string, Entry> } = JSON.parse(fs.readFileSync(file, 'utf8'));

const systems = ['android', 'darwin', 'freebsd', 'netbsd', 'openbsd', 'linux', 'openharmony', 'sunos', 'win32', 'aix'];
const processors = ['arm64', 'arm', 'x64', 'ia32', 'ppc64', 'riscv64', 's390x', 'loong64', 'mips64el', 'wasm32'];
const tokens = (name: string): string[] => name.split(/[/-]/).map((token) => ({ windows: 'win32', armv7: 'arm' })[token] ?? token);

const platformOf = (name: string): Record<string, string[]> => {
  const words = tokens(name);
  const os = systems.filter((system) => words.includes(system));
  const cpu = processors.filter((processor) => words.includes(processor));
  const libc = words.some((w) => w.startsWith('musl'))
    ? ['musl']
    : words.some((w) => w === 'gnu' || w.startsWith('gnueabi'))
      ? ['glibc']
      : [];
  return { ...(os.length > 0 && { os }), ...(cpu.length > 0 && { cpu }), ...(os.includes('linux') && libc.length > 0 && { libc }) };
};

let added = 0;
for (const [place, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const nested = `${place}/node_modules/${name}`;
    if (lock.packages[`node_modules/${name}`] !== undefined || lock.packages[nested] !== undefined) continue;
    const platform = platformOf(name);
    if (platform['os'] === undefined && platform['cpu'] === undefined) continue;
    lock.packages[`node_modules/${name}`] = { version, ...platform, optional: true };
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
fs.writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} platform packages added`);
