/** The agent as few modules of JavaScript, in one folder: what a start reads from a disk is a tenth of the files of a checkout, and no types are stripped while it does. */
import path from 'node:path';
import { rolldown } from 'rolldown';
import type { PackedFile } from './tar.ts';

const REPOSITORY = path.join(import.meta.dirname, '../..');

/** Native code, and what is only looked up: laid beside the bundle as packages of their own (parts.ts). */
const BESIDE = ['oxc-parser', '@microsoft/mxc-sdk', 'bufferutil', 'utf-8-validate'];

const DESCRIPTION = path.join(REPOSITORY, 'apps/endpoint-agent/package.json');

/** @param version what the agent says that it is. @returns `lib/cordon.js`, the command; the agent's other programs; and what they load */
export const bundleAgent = async (version: string): Promise<readonly PackedFile[]> => {
  const bundle = await rolldown({
    cwd: REPOSITORY,
    // Programs of their own; apps/endpoint-agent/src/place.ts knows them by these names.
    input: {
      cordon: 'apps/endpoint-agent/bin/cordon.js',
      egress: 'apps/endpoint-agent/src/egress/main.ts',
      discovery: 'apps/endpoint-agent/src/discovery/main.ts',
    },
    platform: 'node',
    external: [/^node:/, ...BESIDE],
    logLevel: 'warn',
    plugins: [{ name: 'version', load: (id) => (id === DESCRIPTION ? { code: JSON.stringify({ version }), moduleType: 'json' } : null) }],
  });
  const { output } = await bundle.generate({ format: 'esm', entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' });
  await bundle.close();
  const code = output.flatMap((file) =>
    file.type === 'chunk' ? [{ path: `lib/${file.fileName}`, bytes: Buffer.from(file.code), executable: false }] : [],
  );
  return [...code, { path: 'lib/package.json', bytes: Buffer.from('{"type":"module"}\n'), executable: false }];
};
