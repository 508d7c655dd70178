/**
 * The self-test: compliance means proved, not received. A canary run, through the same code as any run, tries what must fail and what must work; the device's host side
 * judges. It runs under the policies that are for every agent, with one folder and one address of its own more.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import type { SelfTest } from '@cordon/policy/protocol/channel.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { canaryPlan } from './canary-plan.ts';
import type { Launcher } from '../launch/launcher.ts';
import type { Account } from '../local-api/accounts.ts';
import type { HostFacts } from '../runs/decide.ts';

export interface CanaryOptions {
  readonly launcher: Pick<Launcher, 'launch'>;
  /** Undefined: nothing is in force. */
  readonly state: VerifiedState | undefined;
  /** Whose authority the canary has: never root. */
  readonly account: Account;
  /** A folder that the account can read outside a sandbox and that no policy grants. */
  readonly folder: string;
  readonly host: HostFacts;
  readonly now: () => Date;
}

export type CheckResult = SelfTest['checks'][number];

/** For all of it: a helper that hangs must not keep the test from its end. */
const MOST_MS = 20_000;
const STATUS = 7;

interface Places {
  readonly secret: string;
  readonly planted: string;
  readonly granted: string;
  readonly refusing: number;
  readonly serving: number;
}

const script = ({ secret, planted, granted, refusing, serving }: Places): string => `
cat ${secret} 2>/dev/null && echo READ
echo x > ${planted} 2>/dev/null && echo WROTE
echo x > ${granted}/written 2>/dev/null || echo NOT-WRITTEN
socat -u /dev/null TCP:127.0.0.1:${refusing},connect-timeout=2 2>/dev/null && echo CONNECTED
printf 'CONNECT canary.invalid:443 HTTP/1.1\\r\\nHost: canary.invalid:443\\r\\n\\r\\n' | socat -t 5 - TCP:127.0.0.1:3128 2>/dev/null | head -n 1
printf 'GET http://127.0.0.1:${serving}/ HTTP/1.1\\r\\nHost: 127.0.0.1:${serving}\\r\\nConnection: close\\r\\n\\r\\n' | socat -t 0.2 STDIO,ignoreeof TCP:127.0.0.1:3128 2>/dev/null
for fd in /proc/self/fd/*; do echo "FD \${fd##*/}"; done
grep CapEff /proc/self/status
grep Seccomp: /proc/self/status
exit ${STATUS}
`;

const listening = async (server: net.Server): Promise<number> => {
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

const checkOf = (name: string, passed: boolean, detail: string): CheckResult => ({ name, passed, detail: detail.slice(0, 256) });
export const failedLaunch = (error: unknown): CheckResult =>
  checkOf('launch', false, error instanceof Error ? error.message : String(error));

/** @returns what failed and what worked; one check named `launch` where nothing could be tried */
const tryOut = async (options: CanaryOptions): Promise<CheckResult[]> => {
  const { launcher, state, account, folder, host } = options;
  const [token, served] = [`canary-${randomBytes(9).toString('hex')}`, `served-${randomBytes(9).toString('hex')}`];
  const [secret, planted, granted] = ['canary-secret', 'canary-planted', 'canary-granted'].map((name) => path.join(folder, name)) as [
    string,
    string,
    string,
  ];
  let connections = 0;
  const refuser = net.createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  const server = http.createServer((_request, response) => void response.end(served));
  const end = new AbortController();
  try {
    const [refusing, serving] = await Promise.all([listening(refuser), listening(server)]);
    fs.writeFileSync(secret, token, { mode: 0o644 });
    fs.rmSync(granted, { recursive: true, force: true });
    fs.mkdirSync(granted, { mode: 0o700 });
    if (process.getuid?.() === 0) fs.chownSync(granted, account.uid, account.gid);
    const begun = launcher.launch({
      run: `run_canary${randomBytes(6).toString('hex')}`,
      plan: canaryPlan({ state, account, host, granted, port: serving, timeoutMs: MOST_MS }),
      argv: ['sh', '-c', script({ secret, planted, granted, refusing, serving })],
      env: {},
      cwd: '/',
      user: account,
    });
    const late = wait(MOST_MS, undefined, { signal: end.signal }).then(() => {
      // Whatever comes of it now is nobody's.
      void begun.then((run) => run.kill('killed')).catch(() => undefined);
      throw new Error(`the canary did not start and end in ${MOST_MS / 1000} seconds: something that it needs hangs`);
    });
    const whole = begun.then(async (run) => {
      run.stdin.end();
      return Promise.all([text(run.stdout), text(run.stderr), run.ended]);
    });
    const [output, , { reason, exitCode }] = await Promise.race([whole, late]);
    return [
      checkOf('launch', reason === 'exited', reason),
      checkOf('exit-status', exitCode === STATUS, `${exitCode}, where ${STATUS} was said`),
      checkOf('forbidden-read', !output.includes(token), 'a file outside the grants'),
      checkOf('forbidden-write', !fs.existsSync(planted), 'a file outside the grants'),
      checkOf('allowed-write', fs.existsSync(path.join(granted, 'written')), 'a folder that is granted'),
      checkOf('forbidden-connect', connections === 0 && !output.includes('CONNECTED'), 'a listener on this host'),
      checkOf('egress-answers', /HTTP\/1\.1 403/.test(output), 'the proxy refuses a host that no rule allows'),
      checkOf('allowed-fetch', output.includes(served), 'an address that a rule allows, through the proxy'),
      checkOf('descriptors', ![...output.matchAll(/^FD (\d+)$/gm)].some(([, fd]) => Number(fd) > 3), 'nothing inherited is open'),
      checkOf('capabilities', /CapEff:\s*0+$/m.test(output), 'none'),
      checkOf('filter', /Seccomp:\s*2$/m.test(output), 'system calls are filtered'),
    ];
  } catch (error) {
    return [failedLaunch(error)];
  } finally {
    end.abort();
    refuser.close();
    server.close();
    server.closeAllConnections();
    for (const place of [secret, planted, granted]) fs.rmSync(place, { recursive: true, force: true });
  }
};

/** Of nothing: what a test is about when nothing is in force. */
export const NO_DIGEST = '0'.repeat(64);

export const runCanary = async (options: CanaryOptions): Promise<SelfTest> => {
  const checks = await tryOut(options);
  const passed = checks.every((check) => check.passed);
  return { at: options.now().toISOString(), digest: options.state?.digest ?? NO_DIGEST, passed, checks };
};
