/** Takes an installation away. Enforcement ends by a retirement that approvers signed, and not by this: a device that is enrolled stays installed. */
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { loadEnrollment } from '../identity/enrollment.ts';
import { lastWordIn } from '../orders/retire.ts';
import type { Target } from './install.ts';

export interface UninstallInput {
  /** Obeys a retirement, while no daemon runs. @throws CordonError `retirement.*`: then everything stays as it is */
  readonly leave: (() => Promise<void>) | undefined;
  /** Settings and the last word too. */
  readonly everything: boolean;
}

const isEnrolled = (stateDir: string): boolean => {
  try {
    return loadEnrollment(stateDir) !== undefined;
  } catch (error) {
    // One that is damaged is one: whoever could damage it could otherwise uninstall.
    if (error instanceof CordonError) return true;
    throw error;
  }
};

/** @throws CordonError `uninstall.enrolled`, `retirement.*`, `install.service` */
export const uninstall = async ({ layout, service, log }: Target, { leave, everything }: UninstallInput): Promise<void> => {
  if (isEnrolled(layout.state)) {
    if (leave === undefined)
      throw new CordonError(
        'uninstall.enrolled',
        'this device belongs to an organisation, and containment does not end by removing it: ask for a retirement (cordonctl retire), which the daemon obeys by itself; or bring it with --retirement FILE',
      );
    service.stop();
    try {
      await leave();
    } catch (error) {
      service.restart();
      throw error;
    }
  }
  service.remove();
  const word = lastWordIn(layout.state).read();
  for (const place of [layout.unit, layout.command, layout.runtime]) fs.rmSync(place, { recursive: true, force: true });
  if (everything) for (const place of [layout.state, layout.settings]) fs.rmSync(place, { recursive: true, force: true });
  // Whatever runs this runs from here: the programs go last.
  fs.rmSync(layout.home, { recursive: true, force: true });
  log(
    word === undefined || word === 'damaged' || everything
      ? 'Cordon is removed from this machine'
      : `Cordon is removed from this machine; the last word of ${word.device} stays in ${path.join(layout.state, 'retired.json')}`,
  );
};
