/** The system's service manager, by its own program at its own place. */
import { spawnSync } from 'node:child_process';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Layout, System } from './layout.ts';

export interface ServiceControl {
  /** The description of the service is new or another. */
  reload(): void;
  /** Now, and at each start of the machine. */
  start(): void;
  /** With the version that is in use by now. */
  restart(): void;
  /** Returns when it has ended. */
  stop(): void;
  /** Not at the next start of the machine either. */
  remove(): void;
}

type Step = readonly string[];
interface Steps {
  readonly reload: readonly Step[];
  readonly start: readonly Step[];
  readonly restart: readonly Step[];
  readonly stop: readonly Step[];
  readonly remove: readonly Step[];
}

const TASK = '\\Cordon\\Agent';

/** Every command that is ever run, as data: held by a test, since most systems are not this one. */
export const stepsFor = (system: System, { unit }: Pick<Layout, 'unit'>): Steps => {
  switch (system) {
    case 'linux': {
      const systemctl = (...words: string[]): Step => ['/usr/bin/systemctl', ...words];
      return {
        reload: [systemctl('daemon-reload')],
        start: [systemctl('enable', '--now', 'cordon.service')],
        restart: [systemctl('restart', 'cordon.service')],
        stop: [systemctl('stop', 'cordon.service')],
        remove: [systemctl('disable', '--now', 'cordon.service'), systemctl('daemon-reload')],
      };
    }
    case 'darwin': {
      const launchctl = (...words: string[]): Step => ['/bin/launchctl', ...words];
      const name = 'system/org.cordon.agent';
      return {
        reload: [],
        start: [launchctl('enable', name), launchctl('bootstrap', 'system', unit)],
        restart: [launchctl('kickstart', '-k', name)],
        stop: [launchctl('bootout', name)],
        remove: [launchctl('bootout', name), launchctl('disable', name)],
      };
    }
    case 'win32': {
      const tasks = (...words: string[]): Step => ['C:\\Windows\\System32\\schtasks.exe', ...words];
      const end = tasks('/End', '/TN', TASK);
      return {
        reload: [tasks('/Create', '/F', '/TN', TASK, '/XML', unit)],
        start: [tasks('/Run', '/TN', TASK)],
        restart: [end, tasks('/Run', '/TN', TASK)],
        stop: [end],
        remove: [end, tasks('/Delete', '/F', '/TN', TASK)],
      };
    }
  }
};

const TIMEOUT_MS = 90_000;

/** @throws CordonError from each of its functions: `install.service` */
export const createServiceControl = (system: System, layout: Layout): ServiceControl => {
  const steps = stepsFor(system, layout);
  const follow = (list: readonly Step[]): void => {
    for (const [program = '', ...words] of list) {
      const { status, stderr, error } = spawnSync(program, words, {
        encoding: 'utf8',
        timeout: TIMEOUT_MS,
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { PATH: '/usr/bin:/bin' },
      });
      if (status !== 0)
        throw new CordonError(
          'install.service',
          `${program} ${words.join(' ')} did not succeed: ${(error?.message ?? stderr.trim()).slice(0, 400)}`,
          { place: program },
        );
    }
  };
  return {
    reload: () => follow(steps.reload),
    start: () => follow(steps.start),
    restart: () => follow(steps.restart),
    stop: () => follow(steps.stop),
    remove: () => follow(steps.remove),
  };
};

/** For images and for machines whose services somebody else looks after: everything is laid out, nothing is started. */
export const noService: ServiceControl = {
  reload: () => undefined,
  start: () => undefined,
  restart: () => undefined,
  stop: () => undefined,
  remove: () => undefined,
};
