/** The built-in sets, versioned, with provenance like any rule. Data, not code. `/` separates on every system. */
import type { OperatingSystem, RuleOrigin } from './effective.ts';

export const BUILTIN_VERSION = 4;

type BySystem = Readonly<Record<OperatingSystem, readonly string[]>>;

/** Entries stand between commas; each gets the prefix. */
const list = (text: string, prefix = ''): readonly string[] => text.split(',').map((entry) => prefix + entry.trim());
const HOME = '${home}/';
const WORKSPACE = '${workspace}/';

/** Readable on every launch: what programs need to start. On Linux the sandbox's baseline brings exactly these. */
export const SYSTEM_READ: BySystem = {
  linux: list(
    `/bin, /sbin, /lib, /lib32, /lib64, /libx32, /usr/bin, /usr/sbin, /usr/lib, /usr/lib32, /usr/lib64, /usr/libx32, /usr/libexec, /usr/share, /etc,
     /dev, /proc`,
  ),
  macos: list('/bin, /sbin, /usr, /System, /Library, /private/etc, /private/var/db/timezone, /dev, /etc, /Applications'),
  windows: list('C:/Windows, C:/Program Files, C:/Program Files (x86), C:/ProgramData/Microsoft/Windows'),
};

const CREDENTIALS = list(
  `.ssh, .gnupg, .aws, .azure, .config/gcloud, .kube, .docker, .netrc, _netrc, .git-credentials, .config/gh, .config/glab-cli, .password-store, .npmrc,
   .yarnrc.yml, .pypirc, .cargo/credentials.toml, .cargo/credentials, .gem/credentials, .m2/settings.xml, .gradle/gradle.properties, .vault-token,
   .terraform.d/credentials.tfrc.json, .config/op, .config/rclone, .databrickscfg, .pgpass, .my.cnf, .config/git/credentials,
   .config/containers/auth.json, .pki, .minikube, .oci, .aliyun, .tsh, .config/doctl, .config/hub, .config/sops, .config/age, .terraformrc, .lima, .rd, .colima,
   .local/state/cordon`,
  HOME,
);

/** What no policy can grant: credentials, keys, sockets that give power over the machine, and Cordon's own state. */
export const NEVER_GRANT: BySystem = {
  linux: [
    ...CREDENTIALS,
    ...list(
      `.local/share/keyrings, .local/share/kwalletd, .mozilla, .config/google-chrome, .config/chromium, .config/BraveSoftware, .config/microsoft-edge,
       .config/vivaldi, .config/opera, .thunderbird, .config/1Password, .config/Bitwarden, snap/firefox, snap/chromium, .var/app/org.mozilla.firefox,
       .var/app/com.google.Chrome, .var/app/org.chromium.Chromium`,
      HOME,
    ),
    ...list(
      `/run/docker.sock, /var/run/docker.sock, /run/containerd, /run/podman, /run/crio, /run/user, /run/dbus, /run/cordon, /run/libvirt, /run/snapd.socket,
       /var/lib/cordon, /etc/shadow, /etc/gshadow, /etc/ssl/private, /etc/sudoers, /etc/sudoers.d, /etc/krb5.keytab, /var/lib/docker, /var/lib/containerd, /var/lib/kubelet,
       /root/.ssh, /root/.gnupg, /root/.aws`,
    ),
  ],
  macos: [
    ...CREDENTIALS,
    ...list(
      `Library/Keychains, Library/Cookies, Library/Safari, Library/Containers/com.apple.Safari, Library/Application Support/Google/Chrome,
       Library/Application Support/Chromium, Library/Application Support/Firefox, Library/Application Support/BraveSoftware,
       Library/Application Support/Microsoft Edge, Library/Application Support/Arc, Library/Application Support/com.apple.TCC, Library/Group Containers,
       Library/Application Support/Vivaldi, Library/Application Support/com.operasoftware.Opera, Library/Application Support/1Password,
       Library/Application Support/Bitwarden, Library/Containers/com.docker.docker, Library/Mail, Library/Messages, .orbstack`,
      HOME,
    ),
    ...list(
      `/Library/Keychains, /private/var/db/dslocal, /var/run/docker.sock, /private/var/run/docker.sock, /Library/Application Support/Cordon,
       /private/etc/sudoers`,
    ),
  ],
  windows: [
    ...CREDENTIALS,
    ...list(
      `Roaming/Microsoft/Credentials, Local/Microsoft/Credentials, Roaming/Microsoft/Protect, Roaming/Microsoft/Crypto, Local/Microsoft/Vault,
       Roaming/Microsoft/SystemCertificates, Local/Google/Chrome/User Data, Local/Chromium/User Data, Local/Microsoft/Edge/User Data, Local/BraveSoftware,
       Roaming/Mozilla/Firefox, Roaming/gcloud, Roaming/GitHub CLI, Roaming/gnupg, Local/Vivaldi/User Data,
       Roaming/Opera Software, Local/1Password, Roaming/Bitwarden, Local/Docker, Local/Cordon`,
      `${HOME}AppData/`,
    ),
    ...list(
      'C:/Windows/System32/config, C:/Windows/Sysnative/config, C:/Windows/NTDS, C:/ProgramData/Cordon, C:/ProgramData/Microsoft/Crypto, C:/ProgramData/ssh',
    ),
  ],
};

const START_UP = list(
  `.bashrc, .bash_profile, .bash_login, .bash_logout, .profile, .zshrc, .zshenv, .zprofile, .zlogin, .config/fish, .config/nushell, .inputrc, .gitconfig,
   .config/git, .local/bin, bin, .vscode, .vscode-server, .claude/settings.json, .claude/settings.local.json, .claude/hooks, .claude/commands,
   .claude/agents, .codex/config.toml, .codex/hooks.json, .gemini/settings.json, .cursor/mcp.json, .config/opencode, .pip, .config/pip, .condarc,
   .cargo/config.toml, .vimrc, .config/nvim, .emacs.d, .tmux.conf`,
  HOME,
);

/** In a workspace: what a later program of the host executes from it without asking. */
const EXECUTED_FROM_WORKSPACE = list(
  `.git/hooks, .git/config, .git/info/attributes, .vscode, .idea, .devcontainer, .envrc, .direnv, .mise.toml, .husky, .claude, .codex, .gemini, .mcp.json,
   .cursor, .windsurf, .npmrc, .yarnrc.yml, .pre-commit-config.yaml, .lefthook.yml, lefthook.yml`,
  WORKSPACE,
);

/** Where `cordon shim` keeps what starts agents contained. */
const SHIMS = '/usr/local/lib/cordon';

/** What a later, uncontained program would execute: readable where granted, never writable. */
export const NEVER_WRITE: BySystem = {
  linux: [
    ...START_UP,
    ...list(
      '.config/autostart, .config/systemd, .config/environment.d, .local/share/applications, .pam_environment, .xprofile, .xsessionrc',
      HOME,
    ),
    SHIMS,
    '/etc/profile.d',
    ...EXECUTED_FROM_WORKSPACE,
  ],
  macos: [
    ...START_UP,
    ...list('Library/LaunchAgents, Library/LaunchDaemons, Library/Scripts, Library/Application Support/Code/User', HOME),
    SHIMS,
    ...EXECUTED_FROM_WORKSPACE,
  ],
  windows: [
    ...START_UP,
    ...list(
      `AppData/Roaming/Microsoft/Windows/Start Menu/Programs/Startup, Documents/PowerShell, Documents/WindowsPowerShell, AppData/Roaming/Code/User,
       AppData/Local/Microsoft/WindowsApps`,
      HOME,
    ),
    ...EXECUTED_FROM_WORKSPACE,
  ],
};

/** Never a workspace, nor inside one: folders of the system beyond those that are readable. */
export const SYSTEM_PLACES: BySystem = {
  linux: [...SYSTEM_READ.linux, ...list('/boot, /sys, /run, /var/lib, /var/log, /usr/local/bin, /usr/local/sbin')],
  macos: [...SYSTEM_READ.macos, ...list('/private/var/db, /private/var/root')],
  windows: [...SYSTEM_READ.windows, 'C:/ProgramData'],
};

/** Folders of sockets and devices, which act for whoever reaches them: naming one in an allow is an error. */
export const SOCKET_PLACES: readonly string[] = list('/run, /var/run, /tmp/.X11-unix, /tmp/.ICE-unix, /dev, /proc, /sys');

/** Names that change what a program loads or runs, or whom it speaks for: never passed on, whoever allows them. */
const LOADER_VARIABLES: ReadonlySet<string> = new Set(
  list(
    `LD_PRELOAD, LD_LIBRARY_PATH, LD_AUDIT, DYLD_INSERT_LIBRARIES, DYLD_LIBRARY_PATH, NODE_OPTIONS, NODE_PATH, NODE_REPL_EXTERNAL_MODULE, BASH_ENV, ENV, ZDOTDIR,
     PROMPT_COMMAND, SHELLOPTS, BASHOPTS, PS4, IFS, CDPATH, PATH, PATHEXT, COMSPEC, PYTHONPATH, PYTHONSTARTUP, PYTHONHOME, PYTHONINSPECT, PERL5LIB, PERL5OPT, PERL5DB,
     RUBYOPT, RUBYLIB, GEM_PATH, GEM_HOME, JAVA_TOOL_OPTIONS, _JAVA_OPTIONS, JDK_JAVA_OPTIONS, MAVEN_OPTS, GRADLE_OPTS, CLASSPATH, DOTNET_STARTUP_HOOKS, COR_PROFILER,
     LUA_INIT, PHPRC, PSMODULEPATH, R_PROFILE, GIT_SSH, GIT_SSH_COMMAND, GIT_ASKPASS, GIT_EXTERNAL_DIFF, GIT_PAGER, GIT_EDITOR, GIT_SEQUENCE_EDITOR, GIT_EXEC_PATH,
     GIT_TEMPLATE_DIR, GIT_PROXY_COMMAND, PAGER, LESSOPEN, LESSCLOSE, MANPAGER, EDITOR, VISUAL, BROWSER, SSH_ASKPASS, SSH_AUTH_SOCK, SUDO_ASKPASS, DOCKER_HOST,
     CONTAINER_HOST, DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR, WAYLAND_DISPLAY, DISPLAY, GPG_AGENT_INFO, RUSTC_WRAPPER, HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY,
     FTP_PROXY, HOME, TMPDIR, TEMP, TMP, USER, USERNAME, USERPROFILE, LOGNAME, SHELL, NODE_EXTRA_CA_CERTS, SSL_CERT_FILE, SSL_CERT_DIR, CURL_CA_BUNDLE,
     REQUESTS_CA_BUNDLE, NODE_TLS_REJECT_UNAUTHORIZED, OPENSSL_CONF, GOFLAGS, GOPROXY, MAKEFLAGS, CC, CXX, LD, GCONV_PATH, LOCPATH, NLSPATH, GLIBC_TUNABLES,
     HOSTALIASES, LOCALDOMAIN, RES_OPTIONS, RESOLV_HOST_CONF, OPENSSL_ENGINES, OPENSSL_MODULES, SSLKEYLOGFILE, PERLLIB, PERLIO, LUA_PATH, LUA_CPATH, TCLLIBPATH,
     GUILE_LOAD_PATH, JULIA_LOAD_PATH, R_LIBS, R_ENVIRON, R_PROFILE_USER, PHP_INI_SCAN_DIR, BUNDLE_GEMFILE, BUN_OPTIONS, JAVA_OPTS, CATALINA_OPTS, ANT_OPTS, SBT_OPTS,
     RUSTC, RUSTFLAGS, RUSTDOCFLAGS, RUSTUP_TOOLCHAIN, GOENV, GOTOOLCHAIN, GCC_EXEC_PREFIX, COMPILER_PATH, LIBRARY_PATH, CPATH, C_INCLUDE_PATH, MAKEFILES,
     CMAKE_TOOLCHAIN_FILE, PKG_CONFIG_PATH, GTK_MODULES, GTK_PATH, GIO_EXTRA_MODULES, GST_PLUGIN_PATH, QT_PLUGIN_PATH, QML_IMPORT_PATH, LIBGL_DRIVERS_PATH,
     VIMINIT, EXINIT, MYVIMRC, EMACSLOADPATH, INPUTRC, FPATH, AWKPATH, AWKLIBPATH, TAR_OPTIONS, SVN_SSH, CVS_RSH, RSYNC_RSH, TF_CLI_CONFIG_FILE, KUBECONFIG,
     DOCKER_CONFIG, DOCKER_CONTEXT, PGPASSFILE, PGSERVICEFILE, LIBMYSQL_PLUGIN_DIR, __PYVENV_LAUNCHER__`,
  ),
);

const LOADER_FAMILIES: readonly RegExp[] = [
  /^(LD_|DYLD_|NPM_CONFIG_|YARN_|PIP_|UV_|POETRY_|COREPACK_|CORDON_|BASH_FUNC_|CARGO_|COMPLUS_|CORECLR_|COR_|ELECTRON_|VK_)/i,
  /^GIT_(ALLOW|ALTERNATE|ATTR|COMMON_DIR|CONFIG|CURL|DIR$|HTTP|INDEX|LFS_|NAMESPACE|OBJECT|REDIRECT|SSL|TRACE|WORK_TREE)/i,
  /^DOTNET_(ADDITIONAL|ROLL|ROOT|SHARED|STARTUP)/i,
  /^PYTHON(?!(UNBUFFERED|IOENCODING|UTF8|DONTWRITEBYTECODE|HASHSEED)$)/i,
  /^NODE_(?!(ENV|AUTH_TOKEN)$)/i,
  /_(EDITOR|PAGER|ASKPASS|PROXY)$/i,
];

/** Environment names are compared without case: Windows does, and no honest program minds. */
export const isLoaderVariable = (name: string): boolean =>
  LOADER_VARIABLES.has(name.toUpperCase()) || LOADER_FAMILIES.some((family) => family.test(name));

export type BuiltinSet = 'system' | 'never-grant' | 'never-write' | 'private-tmp';

/** Provenance of a built-in rule. */
export const builtinOrigin = (set: BuiltinSet, path: string): RuleOrigin => ({
  rule: `builtin:${set}:${path}`,
  source: 'builtin',
  policy: `builtin ${set}`,
  revision: BUILTIN_VERSION,
  because: [],
});
