/** Devices get nothing that they would refuse: where the root demands witnesses, what is new waits here until they have cosigned the newest checkpoint. */
import type { Advance, Published } from '../publishing/published.ts';

/** After so long without cosignatures, somebody should look. */
const PATIENCE_MS = 30_000;

const merge = (a: Advance, b: Advance): Advance => ({
  serial: b.serial,
  cohorts: a.cohorts.union(b.cohorts),
  devices: a.devices.union(b.devices),
  renewed: a.renewed || b.renewed,
});

interface Parts {
  readonly published: Pick<Published, 'isWitnessed'>;
  readonly push: (advance: Advance) => void;
  /** Told once for each time that it takes long. */
  readonly onLate: () => void;
}

export interface Hold {
  /** To be called with every announcement; one without news is how cosignatures are told. */
  advance(advance: Advance): void;
  close(): void;
}

export const createHold = ({ published, push, onLate }: Parts): Hold => {
  let held: Advance | undefined;
  let late: NodeJS.Timeout | undefined;
  return {
    advance: (advance) => {
      held = held === undefined ? advance : merge(held, advance);
      if (!published.isWitnessed) {
        late ??= setTimeout(onLate, PATIENCE_MS).unref();
        return;
      }
      clearTimeout(late);
      const due = held;
      [held, late] = [undefined, undefined];
      push(due);
    },
    close: () => clearTimeout(late),
  };
};
