/** The story itself, told step by step through the public API and the `cordon` command. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { until, type Api } from './api.ts';
import { approve, publishProposal } from './approve.ts';
import { ALLOWED_HOST, FORBIDDEN_HOST, policyYaml, workload } from './policy.ts';
import { showProof } from './proof.ts';
import { startEndpoint, type ControlPlane, type Endpoint } from './services.ts';
import { visible } from '@cordon/policy/visible.ts';
import type { Show } from './show.ts';
import { createSite, type Site, type World } from './world.ts';

interface Setting {
  readonly world: World;
  readonly show: Show;
  readonly plane: ControlPlane;
  readonly api: Api;
  readonly onStop: (stop: () => Promise<void>) => void;
}

export interface ChangeSet {
  readonly id: string;
  readonly serial: number;
  readonly devices: number;
  readonly acknowledged: number;
}

/** Publishes what was approved and waits until every device has acknowledged that it enforces. @returns milliseconds from request to acknowledged */
const publish = async (api: Api, title: string, proposal: string): Promise<{ serial: number; ms: number }> => {
  const start = performance.now();
  const { changeSet, serial } = await publishProposal(api, title, proposal);
  await until(`devices acknowledge serial ${serial}`, 30_000, async () => {
    const seen = await api.get<ChangeSet>(`/change-sets/${changeSet}`);
    return seen.devices > 0 && seen.acknowledged >= seen.devices ? seen : undefined;
  });
  return { serial, ms: performance.now() - start };
};

type Results = Map<string, { status: number; text: string }>;

/** What `cordon` says while its daemon is away. A run ends with its daemon, and the daemon comes back by itself. */
const AWAY = /\[(?:daemon\.gone|daemon\.not-running|launch\.no-bundle)\]/;

type Ended = Awaited<ReturnType<Endpoint['cordon']>>;

/** Runs `cordon`, and once more when a daemon that went away is back. */
const cordon = async (world: World, endpoint: Endpoint, show: Show, verb: string, args: readonly string[]): Promise<Ended> => {
  const as = process.getuid?.() === 0 ? ['--user', world.account.name] : [];
  for (const end = Date.now() + 30_000; ;) {
    const ended = await endpoint.cordon([verb, ...as, ...args], { cwd: world.workspace });
    if (!AWAY.test(ended.stderr) || Date.now() > end) return ended;
    show.line(`  the daemon is away; once more when it is back (${visible(ended.stderr.trim().slice(-120))})`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
};

/** Runs the workload contained. @returns what each attempt printed, by name */
const contained = async (world: World, endpoint: Endpoint, show: Show, script: string): Promise<Results> => {
  const file = path.join(world.workspace, 'work.sh');
  fs.writeFileSync(file, script, { mode: 0o644 });
  const { status, stdout, stderr } = await cordon(world, endpoint, show, 'run', ['--', 'sh', file]);
  if (status !== 0) throw new Error(`cordon run ended with ${String(status)}: ${visible(stderr.slice(-800))}`);
  return new Map(
    stdout
      .split('\n')
      .filter((line) => line.includes('\t'))
      .map((line) => line.split('\t'))
      .map(([name = '', code = '', text = '']) => [name, { status: Number(code), text }]),
  );
};

const judge = (show: Show, world: World, results: Results, allowed: Site, forbidden: Site): void => {
  const of = (name: string): { status: number; text: string } => results.get(name) ?? { status: -1, text: 'did not run' };
  const works = (name: string, what: string): void => show.expect(`allowed: ${what}`, of(name).status === 0, of(name).text);
  const fails = (name: string, what: string, host: boolean): void =>
    show.expect(`denied:  ${what}`, of(name).status > 0 && host, of(name).text);
  works('git-work', 'git works in the workspace');
  works('fetch-allowed', `curl fetches from ${ALLOWED_HOST}`);
  works('node-work', 'node works, writes and fetches');
  works('read-shared', 'a granted folder can be read');
  show.expect('the allowed host was asked by both', new Set(allowed.requests).size === 2, [...new Set(allowed.requests)].join(', '));
  show.expect("node's result is on the host", fs.existsSync(path.join(world.workspace, 'result.json')));
  const everything = [...results.values()].map((r) => r.text).join(' ');
  fails('read-credential', 'reading the planted credential', !everything.includes(world.secret));
  fails('write-outside', 'writing outside the workspace', !fs.existsSync(path.join(world.outside, 'planted')));
  fails('write-system', 'writing into the system', !fs.existsSync('/planted'));
  fails('forbidden-name', `${FORBIDDEN_HOST} by name`, forbidden.requests.length === 0);
  fails('forbidden-address', 'the same host by address, around the proxy', forbidden.requests.length === 0);
  fails('forbidden-address-by-proxy', 'the same host by address, through the proxy', forbidden.requests.length === 0);
  fails('daemon-environment', "reading the daemon's environment", !everything.includes('CORDON_CANARY'));
};

/** Digest of what the only device enforces. */
const enforced = async (api: Api): Promise<string | null | undefined> => {
  const { items } = await api.get<{ items: { id: string }[] }>('/devices');
  const [device] = items;
  if (device === undefined) return undefined;
  return (await api.get<{ enforced: { digest: string | null } }>(`/devices/${device.id}/compliance`)).enforced.digest;
};

/** What the approver read before signing, as far as it fits a screen. */
const tellApproval = (show: Show, said: readonly string[]): void => {
  show.line('  $ cordonctl approve … --key approver.key');
  for (const line of said.slice(0, MOST_LINES)) show.line(`  | ${visible(line.slice(0, 160))}`);
  if (said.length > MOST_LINES) show.line(`  | … ${said.length - MOST_LINES} more lines`);
};
const MOST_LINES = 16;

export const demonstrate = async ({ world, show, plane, api, onStop }: Setting): Promise<Endpoint> => {
  const allowed = await createSite('a package\n');
  const forbidden = await createSite('an upload\n');
  onStop(allowed.close);
  onStop(forbidden.close);
  const allow = [{ host: ALLOWED_HOST, port: allowed.port }];

  const { policy, token } = await show.step(
    '2. An admin creates a group, an enrollment token and a policy; an approver signs it, and it is published',
    async () => {
      const group = await api.post<{ id: string }>('/groups', {
        name: 'developers',
        description: 'Machines that run coding agents',
        membership: 'open',
      });
      const enrollment = await api.post<{ token: string }>('/enrollment-tokens', { name: 'quickstart', groupId: group.id });
      const created = await api.post<{ id: string; name: string; revision: number }>('/policies', { yaml: policyYaml(world, allow) });
      await api.post('/assignments', { policyId: created.id, groupId: group.id, mode: 'include' });
      const { proposal, said } = await approve(plane, api, 'Contain coding agents');
      tellApproval(show, said);
      const { serial } = await publishProposal(api, 'Contain coding agents', proposal);
      show.line(`  policy ${created.name}, revision ${created.revision}, assigned to developers, serial ${serial}`);
      return { policy: created.id, token: enrollment.token };
    },
  );

  const endpoint = await show.step('3. This machine enrols by itself, and its daemon connects', async () => {
    const started = await startEndpoint(
      world,
      plane.deviceUrl,
      token,
      { [ALLOWED_HOST]: '127.0.0.1', [FORBIDDEN_HOST]: '127.0.0.1' },
      randomBytes(8).toString('hex'),
    );
    onStop(() => started.service.stop());
    const device = await until('the device enforces the policy', 30_000, async () => {
      const { items } = await api.get<{ items: { id: string; name: string }[] }>('/devices');
      const found = items[0];
      if (found === undefined) return undefined;
      const compliance = await api.get<{ enforced: { digest: string | null }; desired: { digest: string | null } }>(
        `/devices/${found.id}/compliance`,
      );
      return compliance.enforced.digest !== null && compliance.enforced.digest === compliance.desired.digest ? found : undefined;
    });
    show.line(`  ${device.name} (${device.id}) enforces it`);
    return started;
  });

  await show.step('4. A contained workload: git, curl and node at work, then every way out', async () => {
    judge(show, world, await contained(world, endpoint, show, workload(world, allowed.port, forbidden.port)), allowed, forbidden);
  });

  await show.step('5. Why, answered by the endpoint itself', async () => {
    for (const [target, denied] of [
      [world.credential, true],
      [path.join(world.outside, 'planted'), true],
      [world.workspace, false],
      [`${FORBIDDEN_HOST}:${forbidden.port}`, true],
      [`${ALLOWED_HOST}:${allowed.port}`, false],
    ] as const) {
      const answer = await cordon(world, endpoint, show, 'why', [target]);
      show.expect(
        `cordon why ${target.replace(world.root, '…')}`,
        answer.status === (denied ? 3 : 0),
        answer.stdout.trim().split('\n').slice(0, 3).join(' | '),
      );
    }
  });

  await show.step('6. The admin gives agents one host more: not without an approval; then the endpoint enforces it', async () => {
    await api.post(`/policies/${policy}/revisions`, {
      yaml: policyYaml(world, [...allow, { host: FORBIDDEN_HOST, port: forbidden.port }]),
    });
    const before = await enforced(api);
    const refusal = await api.refused('/publish', { title: 'Allow the paste site' });
    show.expect(
      'what gives agents more is not published without an approval',
      refusal === 'publish.approval-required',
      refusal ?? 'it was',
    );
    const still = await cordon(world, endpoint, show, 'why', [`${FORBIDDEN_HOST}:${forbidden.port}`]);
    show.expect('the device keeps what it has', still.status === 3 && (await enforced(api)) === before, still.stdout.trim().split('\n')[0]);
    const { proposal, said } = await approve(plane, api, 'Allow the paste site');
    tellApproval(show, said);
    show.expect(
      'the approver was told what it gives',
      said.some((line) => line.includes('+') && line.includes(FORBIDDEN_HOST)),
    );
    const { serial, ms } = await publish(api, 'Allow the paste site', proposal);
    show.line(`  serial ${serial}: published, enforced and acknowledged in ${ms.toFixed(0)} ms`);
    const results = await contained(world, endpoint, show, workload(world, allowed.port, forbidden.port));
    show.expect(
      'the host that was forbidden is allowed now',
      results.get('forbidden-name')?.status === 0 && forbidden.requests.length > 0,
      results.get('forbidden-name')?.text,
    );
    show.expect('the credential is still hidden', (results.get('read-credential')?.status ?? 0) > 0);
  });

  await showProof(show, api, FORBIDDEN_HOST);
  return endpoint;
};
