/** Every requirement of Cordon on this machine, looked at for real: also while the daemon is down, and before the device is enrolled. */
import fs from 'node:fs';
import os from 'node:os';
import type { AgentConfig } from '../config.ts';
import { loadEnrollment, type Enrollment } from '../identity/enrollment.ts';
import { findExecutor } from '../launch/helpers.ts';
import { openLimiter, type Limiter } from '../launch/limiter.ts';
import { accountNamed, type Account } from '../local-api/accounts.ts';
import { ownSocket } from '../local-api/client.ts';
import { openNetwork, type Network } from '../network/network.ts';
import type { Status } from '../local-api/protocol.ts';
import { failed, looked, ok, type Check } from './check.ts';
import { containedCheck } from './contained.ts';
import { thisDistribution } from './distribution.ts';
import { kernelChecks, settingOf } from './kernel.ts';
import { placeChecks } from './places.ts';
import { programChecks } from './programs.ts';
import { daemonChecks, enrollmentCheck, statusFrom } from './running.ts';
import { proxyCheck, serverChecks } from './server.ts';

export const SYSTEM_FOLDERS = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];

export interface DoctorOptions {
  readonly config: AgentConfig;
  /** To look at, whatever the enrollment says; else where it is enrolled, or what an unattended enrollment was told. */
  readonly server: string | undefined;
  /** Names and values of what is set about proxies. */
  readonly proxies: Readonly<Record<string, string>>;
  readonly now: () => Date;
  readonly folders?: readonly string[];
}

/** Who would run agents: for root an account without any rights, else this one. */
const ordinary = (): Account | undefined => {
  const { uid, gid, username, homedir } = os.userInfo();
  return uid === 0 ? accountNamed('nobody') : { uid, gid, name: username, home: homedir };
};

const mayEnter = (folder: string): boolean => {
  try {
    fs.accessSync(folder, fs.constants.R_OK | fs.constants.X_OK);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
};

const platformCheck = (): Check =>
  process.platform === 'linux'
    ? ok('system', `${thisDistribution().name}, Linux ${os.release()}, ${process.arch}`)
    : failed('system', process.platform, 'there is no backend for this system yet: nothing is launched uncontained');

/** As the daemon has them; tried here where there is none. */
const limitsOf = async (status: Status | undefined): Promise<Pick<Limiter, 'means' | 'without' | 'close'>> => {
  if (status === undefined) return openLimiter();
  const { without, ...means } = status.limits;
  return { means, without: without ?? undefined, close: () => undefined };
};

export const examine = async ({ config, server, proxies, now, folders = SYSTEM_FOLDERS }: DoctorOptions): Promise<readonly Check[]> => {
  const { stateDir, runtimeDir } = config;
  const distribution = thisDistribution();
  const account = ordinary();
  const isRoot = process.getuid?.() === 0;
  const socket = ownSocket(config);
  let enrollment: Enrollment | undefined;
  let status: Status | undefined;
  const enrolled = await looked('enrollment', 'put the copy of it back, or enrol this device again', async () => {
    status = await statusFrom(socket);
    const mayLook = mayEnter(stateDir);
    enrollment = mayLook ? loadEnrollment(stateDir) : undefined;
    return [enrollmentCheck(enrollment, mayLook, status), ...daemonChecks(status, socket)];
  });
  const asked = server ?? enrollment?.server ?? status?.server;
  let opened: Network | undefined;
  const network = (): Network => (opened ??= openNetwork(config.network));
  const limiter = await limitsOf(status);
  try {
    return [
      platformCheck(),
      ...programChecks({ distribution, folders, nodeVersion: process.versions.node, executor: findExecutor, arch: process.arch }),
      ...(await looked('kernel', 'mend what is named', () =>
        kernelChecks({
          bubblewrap: folders.map((folder) => `${folder}/bwrap`).find((file) => fs.existsSync(file)) ?? 'bwrap',
          account: isRoot ? account : undefined,
          limiter,
          setting: settingOf,
        }),
      )),
      ...placeChecks({ stateDir, runtimeDir, statfs: fs.statfsSync }),
      ...(await looked('containment', 'mend what failed above', () => containedCheck({ account, now }))),
      ...enrolled,
      ...(await looked('proxy settings', 'mend the variable that is named', () => proxyCheck(network, proxies))),
      ...(await looked('control plane', 'look at its URL', () => serverChecks({ server: asked, network, now }))),
    ];
  } finally {
    limiter.close();
  }
};
