/**
 * The self-test: compliance means proved, not received. A canary run, through the same code as any run, tries a forbidden read, write and connection, and looks at
 * what it can see; the device's host side judges.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { SelfTest } from '@cordon/policy/protocol/channel.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Launcher } from '../launch/launcher.ts';
import type { Account } from '../local-api/accounts.ts';
import { effectiveFor, planFor, type HostFacts } from '../runs/decide.ts';

export interface CanaryOptions {
  readonly launcher: Launcher;
  readonly state: VerifiedState;
  /** Whose authority the canary has: never root. */
  readonly account: Account;
  /** A folder that the account can read outside a sandbox and that no policy grants. */
  readonly folder: string;
  readonly host: HostFacts;
  readonly now: () => Date;
}

const script = (secret: string, planted: string, port: number): string => `
cat ${secret} 2>/dev/null && echo READ
echo x > ${planted} 2>/dev/null && echo WROTE
socat -u /dev/null TCP:127.0.0.1:${port},connect-timeout=2 2>/dev/null && echo CONNECTED
printf 'CONNECT canary.invalid:443 HTTP/1.1\\r\\nHost: canary.invalid:443\\r\\n\\r\\n' | socat -t 5 - TCP:127.0.0.1:3128 2>/dev/null | head -n 1
for fd in /proc/self/fd/*; do echo "FD \${fd##*/}"; done
grep CapEff /proc/self/status
`;

type CheckResult = SelfTest['checks'][number];

/** @returns undefined when no policy in force is for every agent: then there is nothing that a canary could run under */
export const runCanary = async (options: CanaryOptions): Promise<SelfTest | undefined> => {
  const { launcher, state, account, folder, host, now } = options;
  const effective = effectiveFor(state, { agent: { id: 'unknown', proof: 'claimed' }, user: account.name, os: 'linux' }, '/', account);
  if (effective.refused !== undefined) return undefined;
  const token = `canary-${randomBytes(9).toString('hex')}`;
  const secret = path.join(folder, 'canary-secret');
  const planted = path.join(folder, 'canary-planted');
  let connections = 0;
  const listener = net.createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const checks: CheckResult[] = [];
  const check = (name: string, passed: boolean, detail: string): void => void checks.push({ name, passed, detail: detail.slice(0, 256) });
  try {
    fs.writeFileSync(secret, token, { mode: 0o644 });
    const plan = planFor(state, effective, '/', host);
    const run = await launcher.launch({
      run: `run_canary${randomBytes(6).toString('hex')}`,
      plan: { ...plan, limits: { ...plan.limits, timeoutMs: 20_000 } },
      argv: ['sh', '-c', script(secret, planted, port)],
      env: {},
      cwd: '/',
      user: account,
    });
    run.stdin.end();
    const [output, , end] = await Promise.all([text(run.stdout), text(run.stderr), run.ended]);
    check('launch', end.reason === 'exited', end.reason);
    check('forbidden-read', !output.includes(token), 'a file outside the grants');
    check('forbidden-write', !fs.existsSync(planted), 'a file outside the grants');
    check('forbidden-connect', connections === 0 && !output.includes('CONNECTED'), 'a listener on this host');
    check('egress-answers', /HTTP\/1\.1 403/.test(output), 'the proxy refuses a host that no rule allows');
    check('descriptors', ![...output.matchAll(/^FD (\d+)$/gm)].some(([, fd]) => Number(fd) > 3), 'nothing inherited is open');
    check('capabilities', /CapEff:\s*0+$/m.test(output), 'none');
  } catch (error) {
    check('launch', false, error instanceof Error ? error.message : String(error));
  } finally {
    listener.close();
    fs.rmSync(secret, { force: true });
    fs.rmSync(planted, { force: true });
  }
  return { at: now().toISOString(), digest: state.digest, passed: checks.every(({ passed }) => passed), checks };
};
