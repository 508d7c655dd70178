/** `cordon upgrade ARCHIVE`. */
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { openPackage } from '@cordon/policy/trust/package.ts';
import { upgrade } from '../install/upgrade.ts';
import { loadEnrollment } from '../identity/enrollment.ts';
import { ask } from '../local-api/client.ts';
import { socketFor } from '../local-api/protocol.ts';
import { SIGNATURE, verifyArchive } from '../package/verify.ts';
import { installedKeys, targetOf } from './installation.ts';
import { printResult } from './output.ts';
import { argumentsOf, commandNamed } from './table.ts';
import { misused } from './table/command.ts';

const SERVES_WITHIN_MS = 60_000;
/** A daemon that answers once and then falls over does not serve. */
const STILL_AFTER_MS = 3000;
const PAUSE_MS = 250;

const answers = (socket: string): Promise<boolean> =>
  ask(socket, { op: 'status' }).then(
    () => true,
    () => false, // why not stands in the log of the service
  );

/** @returns whether the daemon answers, and goes on answering */
export const servesAt = async (socket: string, withinMs = SERVES_WITHIN_MS): Promise<boolean> => {
  for (const end = performance.now() + withinMs; performance.now() < end; await wait(PAUSE_MS)) {
    if (!(await answers(socket))) continue;
    await wait(STILL_AFTER_MS);
    if (await answers(socket)) return true;
  }
  return false;
};

export const upgradeCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('upgrade', args);
  const [archive, ...more] = given.words;
  if (archive === undefined || more.length > 0) throw misused(commandNamed('upgrade'));
  const target = targetOf(given);
  const { layout } = target;
  const keys = installedKeys(layout);
  const pack = await verifyArchive(archive, keys);
  // Nothing serves on a machine that has not joined yet, and nothing is started where the service is somebody else's matter.
  const isServed = !given.flags.has('no-service') && !given.options.has('prefix') && loadEnrollment(layout.state) !== undefined;
  const folder = await upgrade(
    {
      ...target,
      serves: async () => !isServed || servesAt(socketFor(layout.runtime, process.getuid?.() ?? 0)),
      versionIn: async (place) => (await openPackage(fs.readFileSync(path.join(place, SIGNATURE), 'utf8'), keys)).version,
    },
    pack,
    given.flags.has('older'),
  );
  const { version } = pack.manifest;
  printResult(given, { version, folder }, () => [`version ${version} is in use`]);
  return 0;
};
