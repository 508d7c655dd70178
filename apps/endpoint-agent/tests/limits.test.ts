/** What a run may use, on this machine: by control groups where the kernel gives them, else by limits that its processes carry. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finish, planOf, startLauncher, WORKSPACE_ONLY, type TestLauncher } from './_launcher.ts';
import { createWorld, type World } from './_world.ts';

let world: World;
let test: TestLauncher;
beforeAll(async () => {
  world = createWorld();
  test = await startLauncher(world);
});
afterAll(async () => {
  await test?.stop();
  world?.remove();
});

const under = (resources: string, required = '[]') =>
  planOf(world, `${WORKSPACE_ONLY}\nlimit: { resources: ${resources} }\nrequired: ${required}`, world.workspace, test.limiter.means);
/** Starts as many processes as it can, and says how many. */
const FORKS = 'my $n = 0; while ($n < 60) { my $p = fork; last unless defined $p; if (!$p) { sleep 60; exit } $n++ } print "$n\\n"';

describe('limits of a run', () => {
  it('processes: each run has its own, exactly, whatever else the account runs', async () => {
    const plan = under('{ processes: 12 }');
    const runs = await Promise.all([1, 2, 3].map(() => test.run(['perl', '-e', FORKS], { plan })));
    expect(runs.map(({ stdout }) => stdout)).toEqual(['11\n', '11\n', '11\n']);
    const free = await test.run(['perl', '-e', FORKS]);
    expect(free.stdout).toBe('60\n');
  });

  it('processes: the run cannot raise its own', async () => {
    const { stdout } = await test.run(
      ['perl', '-e', FORKS.replace('my $n', 'system("ulimit -p 500 2>/dev/null; ulimit -u 500 2>/dev/null"); my $n')],
      {
        plan: under('{ processes: 12 }'),
      },
    );
    expect(stdout).toBe('11\n');
  });

  it('time: a limit that is set while the run lives counts from its start', async () => {
    const run = await test.launcher.launch(test.request(['sleep', '3600'], { plan: under('{ timeout: 8h }') }));
    expect(run.relimit(under('{ timeout: 9h }').limits)).toBe(true);
    expect(run.relimit(under('{ timeout: 1s }').limits)).toBe(true);
    expect((await finish(run)).end).toEqual({ reason: 'timeout', exitCode: 124 });
  });

  it('others: what a run that lives cannot be brought under is told', async () => {
    const { means } = test.limiter;
    const start = (resources: string) => test.launcher.launch(test.request(['cat'], { plan: under(resources) }));
    const run = await start('{ processes: 12, memory: 200MiB }');
    const free = await start('{ timeout: 8h }');
    const limits = (resources: string) => under(resources).limits;
    expect(run.relimit(limits('{ processes: 13, memory: 300MiB }'))).toBe(true);
    expect(run.relimit(limits('{ timeout: 8h }'))).toBe(true);
    expect(run.relimit(limits('{ processes: 11 }'))).toBe(means.processes !== 'rlimit');
    expect(run.relimit(limits('{ memory: 199MiB }'))).toBe(means.memory !== 'rlimit');
    expect(free.relimit(limits('{ processes: 500 }'))).toBe(means.processes === 'none');
    expect(free.relimit(limits('{ cpu: 1 }'))).toBe(means.cpu === 'none');
    expect((await Promise.all([run, free].map((live) => finish(live)))).map(({ end }) => end.exitCode)).toEqual([0, 0]);
  });

  it('memory: a process that wants more gets none', async () => {
    const plan = under('{ memory: 200MiB }');
    const wants = (megabytes: number) =>
      test.run(['perl', '-e', `my $x = "x" x (${megabytes} * 1024 * 1024); print length($x) / 1024 / 1024`], { plan });
    expect((await wants(80)).stdout).toBe('80');
    const { stdout, end } = await wants(400);
    expect(stdout).toBe('');
    expect(end.exitCode).not.toBe(0);
  });

  it('what the machine cannot truly keep is refused where it is required, and told where it is not', async () => {
    const { means } = test.limiter;
    const resources = '{ memory: 200MiB, cpu: 1, processes: 12 }';
    const states = Object.fromEntries(under(resources).controls.map(({ control, state }) => [control, state]));
    const expected = {
      'resources.memory': means.memory === 'cgroup' ? 'enforced' : 'approximated',
      'resources.cpu': means.cpu === 'cgroup' ? 'enforced' : 'unsupported',
      'resources.processes': { cgroup: 'enforced', rlimit: 'approximated', none: 'unsupported' }[means.processes],
    };
    expect(states).toMatchObject(expected);
    for (const [control, state] of Object.entries(expected)) {
      const plan = under(resources, `[${control}]`);
      const launched = test.run(['true'], { plan }).then(
        ({ end }) => end.reason,
        (error: { code: string }) => error.code,
      );
      expect(await launched).toBe(state === 'enforced' ? 'exited' : 'launch.required-unmet');
    }
  });
});
