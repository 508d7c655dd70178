/**
 * Daemon, control plane and the database's connections killed at random moments while events flow: each event that was kept is stored once and only once, nothing is
 * reported as missing or contradicting, and the whole stands under the device's signature in the end.
 */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import pg from 'pg';
import { expect, inject, it, onTestFinished } from 'vitest';
import { poolConfig } from '../apps/control-plane/src/db/client.ts';
import { verifyHeads } from '../apps/control-plane/src/reports/verify-job.ts';
import { someFacts } from '../apps/control-plane/tests/_util.ts';
import { enroll } from '../apps/endpoint-agent/src/identity/enroll.ts';
import { requireEnrollment } from '../apps/endpoint-agent/src/identity/enrollment.ts';
import { createRandom } from './_random.ts';
import { cordonctl, makeFolder, makeSite, start, urlOf, type Site } from './_fleet.ts';

/** How often something is killed: a few times in the suite, hundreds of times in the nightly run. */
const KILLS = Math.max(8, Math.min(600, Math.floor(LAW_RUNS / 30)));
/** A seed makes the order of kills and their pauses; what happens in between is the machine's. */
const SEED = Number(process.env['CORDON_KILL_SEED'] ?? 20_261_124);

const kill = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
};

/** The service as a process. Ready when its device listener answers. */
const startService = async ({ stateDir, port, owner }: Site): Promise<ChildProcess> => {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', path.join(import.meta.dirname, '../apps/control-plane/src/main.ts')],
    {
      env: {
        PATH: '/usr/bin:/bin',
        CORDON_STATE: stateDir,
        DATABASE_URL: urlOf(owner),
        CORDON_ADMIN_PORT: '0',
        CORDON_DEVICE_PORT: String(port),
        CORDON_LOG: 'error',
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  const answers = (): Promise<boolean> =>
    new Promise((resolve) => {
      http
        .get(`http://127.0.0.1:${port}/healthz`, (reply) => {
          reply.resume();
          resolve(reply.statusCode === 200);
        })
        .on('error', () => resolve(false));
    });
  await expect.poll(answers, { timeout: 60_000, interval: 50 }).toBe(true);
  return child;
};

/** The device's reporting process, and what it said that it kept. */
const startDevice = async (stateDir: string, kept: Set<string>): Promise<ChildProcess> => {
  const child = fork(path.join(import.meta.dirname, '_reporter.ts'), [stateDir], { execArgv: ['--disable-warning=ExperimentalWarning'] });
  child.on('message', (message: { readonly appended?: string }) => {
    if (message.appended !== undefined) kept.add(message.appended);
  });
  await once(child, 'message');
  return child;
};

it(
  `after ${KILLS} kills of daemon, control plane and database connections every event that was kept is stored exactly once, and signed`,
  async () => {
    const random = createRandom(SEED);
    const site = await makeSite();
    const deviceDir = makeFolder();
    const first = await start(site);
    const { token } = await first.ask<{ token: string }>('POST', '/enrollment-tokens', { name: 'test' });
    await enroll({ stateDir: deviceDir, server: first.deviceUrl, token, facts: someFacts('test'), now: new Date() });
    await first.close();
    const { device } = requireEnrollment(deviceDir);

    const superuser = new pg.Client(poolConfig(inject('database').superuser, 1));
    await superuser.connect();
    onTestFinished(() => superuser.end());
    const kept = new Set<string>();
    const told = new Set<string>();
    let service = await startService(site);
    onTestFinished(() => kill(service));
    let reporter = await startDevice(deviceDir, kept);
    onTestFinished(() => kill(reporter));

    const append = (): void => {
      const id = `run_${told.size}`;
      told.add(id);
      // It may have been killed a moment ago: then this event was never kept.
      if (reporter.connected) reporter.send({ append: id }, () => undefined);
    };
    for (let i = 0; i < KILLS; i += 1) {
      const until = performance.now() + 20 + random() * 400;
      while (performance.now() < until) {
        for (let n = Math.floor(random() * 8); n >= 0; n -= 1) append();
        await wait(Math.floor(random() * 12));
      }
      const what = random();
      if (what < 0.55) {
        await kill(reporter);
        reporter = await startDevice(deviceDir, kept);
      } else if (what < 0.75) {
        await kill(service);
        append();
        service = await startService(site);
      } else
        await superuser.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND random() < 0.7', [
          site.owner.database,
        ]);
    }

    const left = async (): Promise<string> => {
      reporter.send({ ask: 'finish' });
      reporter.send({ ask: 'depth' });
      for (;;) {
        const [message] = (await once(reporter, 'message')) as [
          { readonly depth?: number; readonly unsigned: number; readonly said: string },
        ];
        const { depth, unsigned, said } = message;
        if (depth !== undefined) return depth + unsigned === 0 ? 'nothing' : `${depth} events, ${unsigned} ends of chains: ${said}`;
      }
    };
    await expect.poll(left, { timeout: 120_000, interval: 200, message: 'what is not acknowledged or not signed' }).toBe('nothing');
    await kill(reporter);
    await kill(service);

    const plane = await start(site);
    const { rows } = await plane.context.pool.query<{ run: string; n: number }>(
      'SELECT run, count(*)::int AS n FROM telemetry_event WHERE device_id = $1 GROUP BY run',
      [device],
    );
    const stored = new Map(rows.map(({ run, n }) => [run, n]));
    expect([...stored].filter(([run, n]) => n !== 1 || !told.has(run))).toEqual([]);
    expect([...kept].filter((id) => !stored.has(id))).toEqual([]);
    expect(kept.size).toBeGreaterThan(KILLS * 10);

    await verifyHeads(plane.context);
    const { chains, counts } = await plane.ask<{
      chains: { boot: string; seq: number; head: { seq: number; state: string } | null }[];
      counts: Record<string, number>;
    }>('GET', `/devices/${device}/reports`);
    expect({ ...counts, duplicate: 0 }).toEqual({ duplicate: 0, gap: 0, fork: 0, 'wrong-signature': 0, 'not-reached': 0, contradicts: 0 });
    for (const { seq, head } of chains) expect(head).toMatchObject({ seq, state: 'verified' });

    const file = path.join(makeFolder(), 'reports.ndjson');
    const reply = await plane.listeners.admin.app.inject({
      url: `/api/v1/devices/${device}/reports/export`,
      headers: { authorization: `Bearer ${plane.ownerToken}` },
    });
    fs.writeFileSync(file, reply.body);
    const said = await cordonctl(['reports', 'verify', file, '--json']);
    expect(said.status, said.stdout).toBe(0);
    expect(JSON.parse(said.stdout)).toMatchObject({ events: stored.size, signed: stored.size, foreign: 0 });
  },
  120_000 + KILLS * 8000,
);
