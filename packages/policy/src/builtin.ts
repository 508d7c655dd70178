/** The built-in sets, versioned, with provenance like any rule (design §5). Data, not code. */
import type { RuleOrigin } from './effective.ts';

export const BUILTIN_VERSION = 1;

/** Readable on every Linux launch: what programs need to start. The sandbox's baseline brings exactly these. */
export const SYSTEM_READ: readonly string[] = [
  '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/usr/bin', '/usr/sbin', '/usr/lib', '/usr/lib32', '/usr/lib64', '/usr/libx32', '/usr/libexec', '/usr/share', '/etc', '/dev', '/proc',
];

/** What no policy can grant: credentials, keys, sockets that give power over the machine, and Cordon's own state. */
export const NEVER_GRANT: readonly string[] = [
  '${home}/.ssh', '${home}/.gnupg', '${home}/.aws', '${home}/.azure', '${home}/.config/gcloud', '${home}/.kube', '${home}/.docker', '${home}/.netrc', '${home}/.git-credentials',
  '${home}/.config/gh', '${home}/.password-store', '${home}/.local/share/keyrings', '${home}/.mozilla', '${home}/.config/google-chrome', '${home}/.config/chromium', '${home}/.config/BraveSoftware',
  '${home}/.config/microsoft-edge', '${home}/.npmrc', '${home}/.pypirc', '${home}/.cargo/credentials.toml', '${home}/.vault-token', '${home}/.local/state/cordon', '${home}/Library/Keychains',
  '/run/docker.sock', '/var/run/docker.sock', '/run/containerd', '/run/podman', '/run/user', '/run/dbus', '/run/cordon', '/var/lib/cordon', '/etc/shadow', '/etc/gshadow', '/etc/ssl/private', '/root/.ssh',
];

/** What a later, uncontained program would execute: readable where granted, never writable. */
export const NEVER_WRITE: readonly string[] = [
  '${home}/.bashrc', '${home}/.bash_profile', '${home}/.profile', '${home}/.zshrc', '${home}/.zshenv', '${home}/.zprofile', '${home}/.config/fish', '${home}/.gitconfig', '${home}/.config/git',
  '${home}/.config/autostart', '${home}/.config/systemd', '${home}/.config/environment.d', '${home}/.local/bin', '${home}/.claude/settings.json', '${home}/.codex/config.toml',
  '${workspace}/.git/hooks', '${workspace}/.git/config', '${workspace}/.vscode', '${workspace}/.idea', '${workspace}/.devcontainer', '${workspace}/.envrc', '${workspace}/.husky',
  '${workspace}/.claude', '${workspace}/.codex', '${workspace}/.mcp.json', '${workspace}/.cursor', '${workspace}/.npmrc', '${workspace}/.pre-commit-config.yaml',
];

/** Names that change what a program loads or runs: never passed on, whoever allows them. */
export const LOADER_VARIABLES: ReadonlySet<string> = new Set([
  'LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_AUDIT', 'DYLD_INSERT_LIBRARIES', 'DYLD_LIBRARY_PATH', 'NODE_OPTIONS', 'NODE_PATH', 'BASH_ENV', 'ENV', 'PROMPT_COMMAND', 'SHELLOPTS', 'BASHOPTS', 'IFS', 'PATH', 'PYTHONPATH',
  'PYTHONSTARTUP', 'PYTHONHOME', 'PERL5LIB', 'PERL5OPT', 'RUBYOPT', 'RUBYLIB', 'JAVA_TOOL_OPTIONS', '_JAVA_OPTIONS', 'JDK_JAVA_OPTIONS', 'GIT_SSH', 'GIT_SSH_COMMAND', 'GIT_ASKPASS', 'GIT_EXTERNAL_DIFF',
  'GIT_PAGER', 'GIT_EDITOR', 'GIT_CONFIG_GLOBAL', 'GIT_EXEC_PATH', 'PAGER', 'EDITOR', 'VISUAL', 'BROWSER', 'SSH_ASKPASS', 'SSH_AUTH_SOCK', 'DOCKER_HOST', 'DBUS_SESSION_BUS_ADDRESS', 'XDG_RUNTIME_DIR',
  'HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'all_proxy', 'no_proxy', 'HOME', 'TMPDIR', 'USER', 'LOGNAME', 'SHELL', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR',
]);

export const isLoaderVariable = (name: string): boolean => LOADER_VARIABLES.has(name) || /^(LD_|DYLD_|GIT_CONFIG_|npm_config_|CORDON_|BASH_FUNC_)/.test(name);

export type BuiltinSet = 'system' | 'never-grant' | 'never-write' | 'private-tmp';

/** Provenance of a built-in rule. */
export const builtinOrigin = (set: BuiltinSet, path: string): RuleOrigin => ({ rule: `builtin:${set}:${path}`, source: 'builtin', policy: `builtin ${set}`, revision: BUILTIN_VERSION, because: [] });
