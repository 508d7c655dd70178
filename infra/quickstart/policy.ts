/** The two policies of the demonstration, as an admin would write them. */
import type { World } from './world.ts';

export const policyYaml = (world: World, allowed: { readonly host: string; readonly port: number }[]): string => `apiVersion: cordon/v1
kind: ContainmentPolicy
metadata:
  name: coding-agents
  description: What coding agents may touch on these machines
  owner: platform-security
spec:
  mode: enforce
  match: { agents: ["*"], users: ["*"], os: [linux, macos, windows] }
  allow:
    filesystem:
      read: ["\${tools}", "${world.tools}", "${world.shared}"]
      write: ["\${workspace}"]
    network:
      hosts:
${allowed.map(({ host, port }) => `        - { host: ${host}, ports: [${port}], private: true }`).join('\n')}
    environment: [LANG, TERM]
  deny:
    filesystem: { access: ["${world.shared}/credentials"] }
  limit:
    resources: { timeout: 1h }
  required: [filesystem.write, filesystem.deny, network.hosts]
`;

export const ALLOWED_HOST = 'packages.cordon.test';
export const FORBIDDEN_HOST = 'pastebin.cordon.test';

/** What the contained program does: honest work, then every way out that it can think of. Each line it prints is `NAME<TAB>STATUS<TAB>WHAT`. */
export const workload = (world: World, allowedPort: number, forbiddenPort: number): string => `
say() { printf '%s\\t%s\\t%s\\n' "$1" "$2" "$(printf '%s' "$3" | tr '\\n\\t' '  ' | cut -c1-120)"; }
try() { name=$1; shift; out=$("$@" 2>&1); say "$name" "$?" "$out"; }
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
try git-work sh -c 'mkdir -p repo && cd repo && git init -q . && echo hello > file && git add file && git -c user.name=agent -c user.email=agent@cordon.test commit --allow-empty -qm "work" && git log --oneline | cat'
try fetch-allowed curl -sS -f -m 10 http://${ALLOWED_HOST}:${allowedPort}/package
try node-work ${world.tools}/node -e 'fetch("http://${ALLOWED_HOST}:${allowedPort}/from-node").then((r) => r.text()).then((t) => { require("fs").writeFileSync("result.json", JSON.stringify({ t })); console.log(t); })'
try read-shared cat ${world.shared}/readme.txt
try read-credential cat ${world.credential}
try write-outside sh -c 'echo planted > ${world.outside}/planted'
try write-system sh -c 'echo planted > /planted'
try forbidden-name curl -sS -f -m 10 http://${FORBIDDEN_HOST}:${forbiddenPort}/upload
try forbidden-address curl -sS -f -m 5 --noproxy '*' http://127.0.0.1:${forbiddenPort}/upload
try forbidden-address-by-proxy curl -sS -f -m 5 http://127.0.0.1:${forbiddenPort}/upload
try daemon-environment sh -c 'cat /proc/[0-9]*/environ /proc/1/task/*/environ 2>/dev/null | tr "\\0" "\\n" | grep CORDON_CANARY'
`;
