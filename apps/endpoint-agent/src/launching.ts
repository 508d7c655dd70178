/** All that a run needs on this machine, opened together: helpers, limits, the egress process, ways inside, and the launcher over them. */
import fs from 'node:fs';
import path from 'node:path';
import { startEgress, type Egress, type EgressOptions } from './egress/egress.ts';
import { readHosts } from './egress/hosts.ts';
import { endPointOf } from './egress/target.ts';
import { readUpstream } from './egress/upstream.ts';
import { installAuthorities } from './launch/authorities.ts';
import { installHelpers, type Helpers } from './launch/helpers.ts';
import { createLauncher, type Launcher } from './launch/launcher.ts';
import { endLeftovers } from './launch/leftovers.ts';
import { openLimiter, type Limiter } from './launch/limiter.ts';
import { accountNamed, type Account } from './local-api/accounts.ts';
import { createDoors, type Doors } from './local-api/doors.ts';
import { certificatesIn } from './network/certificates.ts';
import type { NetworkSettings } from './network/network.ts';
import { INSTALLATION } from './place.ts';
import type { HostFacts } from './runs/decide.ts';

export interface LaunchingOptions extends Pick<EgressOptions, 'onDecision' | 'onUntold' | 'onDeath' | 'attach'> {
  /** Its own folder, which everybody may enter. */
  readonly runtimeDir: string;
  readonly stateDir: string;
  readonly hostsFile: string | undefined;
  /** The company's network, as far as runs meet it: the proxy that their way out goes through, and its authorities. */
  readonly company?: Pick<NetworkSettings, 'caFile' | 'proxyAuthFile'> & { readonly egressProxy: string | undefined };
  /** URL of the control plane: no rule leads a run there. */
  readonly server?: string;
}

export interface Launching {
  readonly launcher: Launcher;
  readonly limiter: Limiter;
  readonly egress: Egress;
  readonly doors: Doors;
  readonly helpers: Helpers;
  readonly host: HostFacts;
  /** Whose rights nothing hangs on; of a root daemon, the egress process and the self-test have them. */
  readonly nobody: Account | undefined;
  stop(): Promise<void>;
}

/** A folder that was emptied, with this mode. */
export const freshFolder = (runtimeDir: string, name: string, mode: number): string => {
  const place = path.join(runtimeDir, name);
  fs.rmSync(place, { recursive: true, force: true });
  fs.mkdirSync(place, { mode });
  fs.chmodSync(place, mode);
  return place;
};

/** @throws CordonError `launch.*-missing`, `launch.helper-unsafe`, `launch.platform`, `egress.*`, `network.*`, `file.*` */
export const openLaunching = async (options: LaunchingOptions): Promise<Launching> => {
  const { runtimeDir, stateDir, hostsFile, company, server, onDecision, onUntold, onDeath, attach } = options;
  const root = process.getuid?.() === 0;
  const nobody = accountNamed('nobody');
  endLeftovers({ helpers: path.join(runtimeDir, 'helpers'), egress: path.join(runtimeDir, 'egress') });
  const helpers = installHelpers(path.join(runtimeDir, 'helpers'));
  const limiter = await openLimiter();
  const upstream = readUpstream(company?.egressProxy, company?.proxyAuthFile);
  const ca = company?.caFile === undefined ? [] : certificatesIn(company.caFile);
  const authorities = ca.length === 0 ? undefined : installAuthorities(path.join(runtimeDir, 'authorities'), ca);
  const egress = await startEgress({
    runtimeDir,
    hosts: readHosts(hostsFile),
    ...(root && { dropTo: { uid: nobody?.uid ?? 65_534, gid: nobody?.gid ?? 65_534 } }),
    reserved: server === undefined ? [] : [endPointOf(server)],
    upstream,
    ca,
    onDecision,
    ...(onUntold !== undefined && { onUntold }),
    ...(onDeath !== undefined && { onDeath }),
    ...(attach !== undefined && { attach }),
  });
  const doors = createDoors(freshFolder(runtimeDir, 'inside', root ? 0o711 : 0o700));
  const launcher = createLauncher({ runtimeDir: freshFolder(runtimeDir, 'launch', 0o700), helpers, egress, limiter, doors, authorities });
  // Symbolic links on the way would hide the real place from the comparison.
  const installation = [INSTALLATION, stateDir, runtimeDir].map((place) => fs.realpathSync(place));
  return {
    launcher,
    limiter,
    egress,
    doors,
    helpers,
    host: { installation, limits: limiter.means, upstream: upstream !== undefined },
    nobody,
    stop: async () => {
      await launcher.stop();
      limiter.close();
      egress.stop();
    },
  };
};
