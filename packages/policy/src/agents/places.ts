/** Where agents are installed, as data: by system, and by home. A `*` stands for any part of one name. */
import type { OperatingSystem } from '../effective.ts';

type Kind = 'npm' | 'pypi' | 'programs' | 'cask' | 'formula' | 'winget' | 'extensions' | 'bundles';
type Places = Readonly<Record<Kind, readonly string[]>>;

const NONE: Places = { npm: [], pypi: [], programs: [], cask: [], formula: [], winget: [], extensions: [], bundles: [] };

const EDITORS = [
  '.vscode',
  '.vscode-insiders',
  '.vscode-oss',
  '.vscode-server',
  '.cursor',
  '.cursor-server',
  '.windsurf',
  '.trae',
  '.kiro',
  '.antigravity',
];

/** Of whoever installs for himself on Linux or macOS. */
const HOME_NPM = [
  '.npm-global/lib/node_modules',
  '.local/lib/node_modules',
  '.nvm/versions/node/*/lib/node_modules',
  '.volta/tools/image/packages/*/lib/node_modules',
  '.asdf/installs/nodejs/*/lib/node_modules',
  '.local/share/mise/installs/node/*/lib/node_modules',
  '.local/share/fnm/node-versions/*/installation/lib/node_modules',
  '.bun/install/global/node_modules',
  '.config/yarn/global/node_modules',
  '.npm/_npx/*/node_modules',
  '.claude/local/node_modules',
];
const HOME_PYPI = ['.local/share/pipx/venvs/*/lib/python*/site-packages', '.local/share/uv/tools/*/lib/python*/site-packages'];
const HOME_PROGRAMS = ['.local/bin', 'bin', '.cargo/bin', 'go/bin', '.bun/bin', '.deno/bin', '.opencode/bin'];

/** Of the machine. */
export const MACHINE_PLACES: Readonly<Record<OperatingSystem, Places>> = {
  linux: {
    ...NONE,
    npm: ['/usr/lib/node_modules', '/usr/local/lib/node_modules', '/opt/*/lib/node_modules'],
    pypi: [
      '/usr/lib/python3/dist-packages',
      '/usr/local/lib/python3*/*-packages',
      '/usr/lib/python3*/site-packages',
      '/opt/*/lib/python3*/site-packages',
    ],
    programs: ['/usr/local/bin', '/usr/bin', '/opt/*/bin', '/snap/bin'],
    formula: ['/home/linuxbrew/.linuxbrew/Cellar'],
  },
  macos: {
    ...NONE,
    npm: ['/usr/local/lib/node_modules', '/opt/homebrew/lib/node_modules'],
    pypi: ['/opt/homebrew/lib/python3*/site-packages', '/usr/local/lib/python3*/site-packages'],
    programs: ['/usr/local/bin', '/opt/homebrew/bin'],
    cask: ['/opt/homebrew/Caskroom', '/usr/local/Caskroom'],
    formula: ['/opt/homebrew/Cellar', '/usr/local/Cellar'],
    bundles: ['/Applications'],
  },
  windows: {
    ...NONE,
    npm: ['C:\\Program Files\\nodejs\\node_modules'],
    winget: ['C:\\Program Files\\WinGet\\Packages'],
  },
};

/** Of each home, below it. */
export const HOME_PLACES: Readonly<Record<OperatingSystem, Places>> = {
  linux: {
    ...NONE,
    npm: [...HOME_NPM, '.local/share/pnpm/global/*/node_modules'],
    pypi: [...HOME_PYPI, '.local/lib/python3*/site-packages'],
    programs: HOME_PROGRAMS,
    extensions: EDITORS.map((editor) => `${editor}/extensions`),
  },
  macos: {
    ...NONE,
    npm: [...HOME_NPM, 'Library/pnpm/global/*/node_modules'],
    pypi: [...HOME_PYPI, 'Library/Python/3*/lib/python/site-packages'],
    programs: HOME_PROGRAMS,
    extensions: EDITORS.map((editor) => `${editor}/extensions`),
    bundles: ['Applications'],
  },
  windows: {
    ...NONE,
    npm: ['AppData\\Roaming\\npm\\node_modules', 'AppData\\Local\\pnpm\\global\\*\\node_modules', '.bun\\install\\global\\node_modules'],
    pypi: [
      'AppData\\Local\\Programs\\Python\\*\\Lib\\site-packages',
      'pipx\\venvs\\*\\Lib\\site-packages',
      'AppData\\Roaming\\uv\\tools\\*\\Lib\\site-packages',
      'AppData\\Roaming\\Python\\*\\site-packages',
    ],
    programs: ['.local\\bin', 'AppData\\Local\\Microsoft\\WinGet\\Links', 'go\\bin', '.cargo\\bin'],
    winget: ['AppData\\Local\\Microsoft\\WinGet\\Packages'],
    extensions: EDITORS.map((editor) => `${editor}\\extensions`),
  },
};
