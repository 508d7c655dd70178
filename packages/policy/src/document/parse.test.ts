import { describe, expect, it } from 'vitest';
import { PolicyErrors, type PolicyIssue } from './issues.ts';
import { parsePolicy } from './parse.ts';

const issuesOf = (text: string): readonly PolicyIssue[] => {
  try {
    parsePolicy(text);
    return [];
  } catch (error) {
    if (error instanceof PolicyErrors) return error.issues;
    throw error;
  }
};
const policy = (spec: string): string => `apiVersion: cordon/v1
kind: ContainmentPolicy
metadata: { name: p }
spec:
${spec.replaceAll(/^/gm, '  ')}
`;
/** The one issue of a spec, as `code message`. */
const only = (spec: string): string => {
  const issues = issuesOf(policy(spec));
  expect(issues).toHaveLength(1);
  return `${issues[0]?.code} ${issues[0]?.message}`;
};

const EVERYTHING = policy(`mode: enforce
match: { agents: [claude-code, codex], users: ["*"], os: [linux, macos, windows] }
allow:
  filesystem: { read: ["\${home}/.gitconfig", "\${tools}", 'C:\\Data'], write: ["\${workspace}", '\${home}\\out'] }
  network:
    hosts: [{ host: api.anthropic.com }, { host: "*.github.com", ports: [443, 22] }, { host: build.internal, private: true, ports: [8080], methods: [GET], paths: [/api] }]
    cidrs: [{ cidr: 8.8.8.0/24, except: [8.8.8.8], ports: [53] }, { cidr: 10.1.0.0/16, private: true }]
    ingress: true
    hostLoopback: true
  ui: { windows: true, clipboard: read, inputInjection: true }
  environment: [LANG, TERM]
  identity: { hosts: [api.example.com] }
deny:
  run: true
  filesystem: { access: ["\${home}/.ssh"], write: ["\${workspace}/.git/hooks"] }
  network: { hosts: [{ host: "*.pastebin.com" }, { host: "*.github.io" }], cidrs: [{ cidr: 0.0.0.0/0 }], ingress: true, hostLoopback: true }
  ui: { windows: true, clipboard: all, inputInjection: true }
  environment: [AWS_TOKEN, LD_PRELOAD]
  workspaces: ["\${home}/finance"]
  identity: { hosts: [evil.example.com] }
limit:
  filesystem: { read: ["\${home}"], write: ["\${workspace}", "\${tmp}"] }
  network: { hosts: [{ host: "*" }], cidrs: [], ingress: false, hostLoopback: false }
  ui: { windows: false, clipboard: none, inputInjection: false }
  environment: [LANG]
  workspaces: ["\${home}/src"]
  identity: { hosts: [] }
  resources: { timeout: 8h, memory: 4GiB, cpu: 0.5, processes: 512 }
  isolation: vm
required: [filesystem.write, filesystem.deny, network.hosts, ui.clipboard]
onExpiry: stop
grace: 0s
uncontained: stop
privacy: { paths: folder, hosts: domain, users: pseudonym }`);

describe('a policy text', () => {
  it('may use the whole language', () => {
    expect(issuesOf(EVERYTHING)).toEqual([]);
    expect(parsePolicy(EVERYTHING).document.spec.limit?.isolation).toBe('vm');
  });

  it('means the same as JSON', () => {
    const { document } = parsePolicy(EVERYTHING);
    expect(parsePolicy(JSON.stringify(document)).document).toEqual(document);
  });

  it('gives all its errors at once, in the order of the text, each with place and advice', () => {
    const issues = issuesOf(`apiVersion: cordon/v1
kind: ContainmentPolicy
metadata: { name: Bad Name }
spec:
  mode: audti
  allow:
    filesystem: { read: [relative], wrte: [] }
    network: { hosts: [{ host: "*.github.io" }, { host: a.b, ports: [0] }] }
  limit: { resources: { timeout: 8 } }
`);
    expect(issues.map(({ line, column, pointer, code }) => `${line}:${column} ${pointer} ${code}`)).toEqual([
      '3:19 /metadata/name policy.value',
      '5:9 /spec/mode policy.value',
      '7:26 /spec/allow/filesystem/read/0 path.invalid',
      '7:37 /spec/allow/filesystem/wrte policy.unknown-key',
      '8:32 /spec/allow/network/hosts/0/host host.public-suffix',
      '8:70 /spec/allow/network/hosts/1/ports/0 policy.value',
      '9:34 /spec/limit/resources/timeout policy.value',
    ]);
    expect(issues.map(({ message }) => message).join('\n')).toMatch(
      /did you mean "audit"[^]*did you mean "write"[^]*Such as 90s, 30m, 8h or 2d/,
    );
  });

  it('says where an alias stands, and what breaks two words of the language only once', () => {
    expect(issuesOf(policy('allow: { environment: &a [LANG] }\nlimit: { environment: *a }'))).toMatchObject([
      { code: 'policy.alias', line: 5, column: 28 },
      { code: 'policy.alias', line: 6, column: 25 },
    ]);
    expect(issuesOf(`a: 1\nb: ${'['.repeat(20)}${']'.repeat(20)}`)).toMatchObject([{ code: 'policy.too-deep', line: 2, column: 20 }]);
    expect(issuesOf(policy('deny: { run: yes }'))).toMatchObject([{ code: 'policy.value', pointer: '/spec/deny/run' }]);
  });

  it('gives more errors than a validator counts at a time', () => {
    const hosts = Array.from({ length: 40 }, (_, i) => `{ host: h${i}.example, ports: [0] }`).join(', ');
    expect(issuesOf(policy(`allow: { network: { hosts: [${hosts}] } }`)).filter(({ code }) => code === 'policy.value')).toHaveLength(40);
  });

  it.each([
    ['not closed', 'a: [1', 'policy.syntax'],
    ['a key twice', 'a: 1\na: 2', 'policy.syntax'],
    ['two documents', 'a: 1\n---\nb: 2', 'policy.syntax'],
    ['aliases', 'a: &x [1]\nb: *x', 'policy.alias'],
    ['a billion laughs', `a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]`, 'policy.alias'],
    ['too deep', '['.repeat(30) + ']'.repeat(30), 'policy.too-deep'],
    ['too large', `# ${'x'.repeat(262_145)}`, 'policy.too-large'],
    ['a list', '[]', 'policy.value'],
    ['nothing', '', 'policy.value'],
    ['an anchor that nobody uses', 'a: &x [1]', 'policy.alias'],
    ['a tag that is code elsewhere', 'apiVersion: !!js/function "x"', 'policy.tag'],
    ['a tag that hides what a map holds', policy('!!omap [deny: { run: true }]'), 'policy.tag'],
    ['half a character', policy('allow: { filesystem: { read: ["/a\\ud800"] } }'), 'policy.syntax'],
  ])('is refused when it is %s', (_what, text, code) => {
    expect(issuesOf(text).map((issue) => issue.code)).toContain(code);
  });

  it.each([
    ['allow: { filesystem: { read: [/] } }', 'path.too-wide'],
    ["allow: { filesystem: { read: ['C:\\'] } }", 'path.too-wide'],
    ['allow: { filesystem: { read: [data] } }', 'path.invalid'],
    ['allow: { filesystem: { read: ["${workspace}/../x"] } }', 'path.invalid'],
    ['allow: { filesystem: { read: ["${hom}/x"] } }', 'path.variable'],
    ['allow: { filesystem: { read: ["/x/${home}"] } }', 'path.variable'],
    ['allow: { filesystem: { read: ["${home}x"] } }', 'path.invalid'],
    ['allow: { filesystem: { read: ["~/x"] } }', 'path.invalid'],
    ['allow: { filesystem: { read: ["${workspace}/*.ts"] } }', 'path.glob'],
    ['allow: { filesystem: { read: ["${home}/.ssh/id_ed25519"] } }', 'path.never-granted'],
    ["allow: { filesystem: { read: ['${home}\\.ssh'] } }", 'path.never-granted'],
    ['allow: { filesystem: { read: ["${home}/.SSH"] } }', 'path.never-granted'],
    ['allow: { filesystem: { read: ["${home}/Library/Keychains/x"] } }', 'path.never-granted'],
    ['allow: { filesystem: { read: ["/var/lib/cordon/state"] } }', 'path.never-granted'],
    ['allow: { filesystem: { write: ["/run/docker.sock"] } }', 'path.never-granted'],
    ['allow: { filesystem: { write: ["/run/anything"] } }', 'path.sockets'],
    ['allow: { filesystem: { read: ["/proc/1"] } }', 'path.sockets'],
    ['allow: { filesystem: { read: ["/Var/Run/x"] } }', 'path.sockets'],
    ['allow: { filesystem: { read: ["/private/tmp/.X11-unix"] } }', 'path.sockets'],
    ['allow: { filesystem: { write: [/dev] } }', 'path.sockets'],
    ['allow: { filesystem: { read: ["${system}"] } }', 'path.variable'],
    ['allow: { filesystem: { read: ["/System/Volumes/Data"] } }', 'path.too-wide'],
    ['allow: { filesystem: { read: ["/system/volumes/data/library/keychains"] } }', 'path.never-granted'],
    ['allow: { filesystem: { read: [/var/db/dslocal] } }', 'path.never-granted'],
    ['allow: { filesystem: { read: [/etc/sudoers] } }', 'path.never-granted'],
    ['allow: { filesystem: { read: [/home/ann/.ssh] } }', 'path.never-granted'],
    ['allow: { filesystem: { read: [/root/.kube/config] } }', 'path.never-granted'],
    ['allow: { filesystem: { read: ["${home}/.config/git/credentials"] } }', 'path.never-granted'],
    ['allow: { filesystem: { write: ["${home}/.lima/default/sock"] } }', 'path.never-granted'],
    ["allow: { filesystem: { read: ['c:\\users\\ann\\.AWS'] } }", 'path.never-granted'],
    ["allow: { filesystem: { read: ['${home}/SSH~1'] } }", 'path.old-name'],
    ["allow: { filesystem: { read: ['C:\\PROGRA~3\\Cordon'] } }", 'path.old-name'],
    ["allow: { filesystem: { read: ['${home}/Application Data/gnupg'] } }", 'path.old-name'],
    ["allow: { filesystem: { read: ['C:\\Users\\All Users\\ssh'] } }", 'path.old-name'],
    ['allow: { filesystem: { read: ["//server/share"] } }', 'path.invalid'],
    ["allow: { filesystem: { read: ['\\\\?\\C:\\Users'] } }", 'path.invalid'],
    ['deny: { filesystem: { access: ["${home}/.ssh."] } }', 'path.invalid'],
    ['deny: { filesystem: { access: ["${home}/.ssh::$DATA"] } }', 'path.invalid'],
    ['limit: { workspaces: ["${home}/a "] }', 'path.invalid'],
    ['allow: { network: { hosts: [{ host: "*.com" }] } }', 'host.invalid'],
    ['allow: { network: { hosts: [{ host: "*.co.uk" }] } }', 'host.public-suffix'],
    ['allow: { network: { hosts: [{ host: "*.s3.amazonaws.com" }] } }', 'host.public-suffix'],
    ['allow: { network: { hosts: [{ host: "*.amazonaws.com" }] } }', 'host.public-suffix'],
    ['allow: { network: { hosts: [{ host: "127.1" }] } }', 'host.invalid'],
    ['allow: { network: { hosts: [{ host: 127.0.0.1 }] } }', 'host.private'],
    ['allow: { network: { hosts: [{ host: "169.254.169.254" }] } }', 'host.private'],
    ['allow: { network: { hosts: [{ host: "*.corp.example", private: true }] } }', 'host.private-wildcard'],
    ['allow: { network: { hosts: [{ host: a.example, paths: [/a/../b] }] } }', 'url.path'],
    ['allow: { network: { hosts: [{ host: a.example, paths: ["/a?x=1"] }] } }', 'url.path'],
    ['allow: { network: { cidrs: [{ cidr: 10.0.0.0/8 }] } }', 'cidr.private'],
    ['allow: { network: { cidrs: [{ cidr: 8.0.0.0/5 }] } }', 'cidr.private'],
    ['allow: { network: { cidrs: [{ cidr: "2000::/3" }] } }', 'cidr.private'],
    ['allow: { network: { cidrs: [{ cidr: 0.0.0.0/0 }] } }', 'cidr.too-wide'],
    ['allow: { network: { cidrs: [{ cidr: 8.8.8.1/24 }] } }', 'cidr.invalid'],
    ['allow: { network: { cidrs: [{ cidr: 8.8.8.0/24, except: [9.9.9.9] }] } }', 'cidr.except'],
    ['allow: { environment: [LD_PRELOAD] }', 'environment.loader'],
    ['allow: { environment: [node_options] }', 'environment.loader'],
    ['allow: { environment: [GIT_SSH_COMMAND] }', 'environment.loader'],
    ['allow: { environment: [BASH_ENV] }', 'environment.loader'],
    ['allow: { environment: [GIT_CONFIG_COUNT] }', 'environment.loader'],
    ['allow: { identity: { hosts: ["*.example.com"] } }', 'host.invalid'],
    ['limit: { workspaces: ["${workspace}"] }', 'path.variable'],
    ['allow: { profileOverride: x }', 'policy.unknown-key'],
    ['mode: learn', 'policy.value'],
    ['match: { users: ["contractor-*"] }', 'policy.value'],
    ["match: { users: ['ann '] }", 'policy.value'],
  ])('is refused for %s', (spec, code) => {
    expect(only(spec)).toContain(`${code} `);
  });

  it('may name on other systems what is no name on Windows, if it is not for Windows', () => {
    expect(issuesOf(policy('match: { os: [linux, macos] }\nallow: { filesystem: { read: ["${home}/a:b"] } }'))).toEqual([]);
  });

  it.each([
    'PYTHONBREAKPOINT',
    'GIT_SSL_NO_VERIFY',
    'NODE_COMPILE_CACHE',
    'ELECTRON_RUN_AS_NODE',
    'KUBE_EDITOR',
    'GLIBC_TUNABLES',
    'RUSTFLAGS',
    'LUA_PATH',
    'rsync_proxy',
  ])('never passes on %s', (name) => {
    expect(only(`allow: { environment: [${name}] }`)).toContain('environment.loader ');
    expect(only(`limit: { environment: [${name}] }`)).toContain('environment.loader ');
    expect(issuesOf(policy(`deny: { environment: [${name}] }`))).toEqual([]);
  });

  it('may pass on what programs only read', () => {
    const names = [
      'LANG',
      'TERM',
      'CI',
      'NODE_ENV',
      'GIT_AUTHOR_NAME',
      'GIT_COMMITTER_EMAIL',
      'JAVA_HOME',
      'API_KEY',
      'GITHUB_SHA',
      'VIRTUAL_ENV',
    ];
    expect(issuesOf(policy(`allow: { environment: [${names.join(', ')}] }`))).toEqual([]);
  });
});
