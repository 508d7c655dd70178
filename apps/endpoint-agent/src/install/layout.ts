/** Where an installation lies. Everything of it is the administrator's; only state and sockets are made by the service. */
import path from 'node:path';

export interface Layout {
  /** Folders of versions, and the links to those in use. */
  readonly home: string;
  /** What is on everybody's PATH. */
  readonly command: string;
  /** Release keys, settings of the service, how to join. */
  readonly settings: string;
  readonly state: string;
  readonly runtime: string;
  /** The service manager's own description of the service. */
  readonly unit: string;
  readonly log: string;
}

export type System = 'linux' | 'darwin' | 'win32';

const PLACES: Readonly<Record<System, Layout>> = {
  linux: {
    home: '/opt/cordon',
    command: '/usr/local/bin/cordon',
    settings: '/etc/cordon',
    state: '/var/lib/cordon',
    runtime: '/run/cordon',
    unit: '/etc/systemd/system/cordon.service',
    log: '/var/log/cordon.log',
  },
  darwin: {
    home: '/usr/local/cordon',
    command: '/usr/local/bin/cordon',
    settings: '/Library/Application Support/Cordon',
    state: '/var/lib/cordon',
    runtime: '/var/run/cordon',
    unit: '/Library/LaunchDaemons/org.cordon.agent.plist',
    log: '/var/log/cordon.log',
  },
  win32: {
    home: 'C:\\Program Files\\Cordon',
    command: 'C:\\Program Files\\Cordon\\cordon.cmd',
    settings: 'C:\\ProgramData\\Cordon',
    state: 'C:\\ProgramData\\Cordon\\state',
    runtime: 'C:\\ProgramData\\Cordon\\run',
    unit: 'C:\\ProgramData\\Cordon\\service.xml',
    log: 'C:\\ProgramData\\Cordon\\daemon.log',
  },
};

/** @param prefix a folder below which all of it lies; `/` for a machine's own */
export const layoutFor = (system: System, prefix = '/'): Layout => {
  const places = PLACES[system];
  if (prefix === '/') return places;
  const { join } = system === 'win32' ? path.win32 : path.posix;
  const below = (place: string): string => join(prefix, place.replace(/^[A-Z]:/, ''));
  return {
    home: below(places.home),
    command: below(places.command),
    settings: below(places.settings),
    state: below(places.state),
    runtime: below(places.runtime),
    unit: below(places.unit),
    log: below(places.log),
  };
};

/** The version in use, and the one before it: links, so that a change is one rename. */
export const currentOf = ({ home }: Layout): string => path.join(home, 'current');
export const previousOf = ({ home }: Layout): string => path.join(home, 'previous');
export const keysOf = ({ settings }: Layout): string => path.join(settings, 'release-keys.json');
export const environmentOf = ({ settings }: Layout): string => path.join(settings, 'agent.env');
