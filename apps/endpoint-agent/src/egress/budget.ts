/** Bytes that a run may send and receive, counted for it and for every run that it is a part of. */

export interface Spent {
  up: number;
  down: number;
}

/** Undefined: no limit. In bytes. */
export interface Allowance {
  readonly upload: number | undefined;
  readonly download: number | undefined;
}

export interface Budget {
  spend(direction: keyof Spent, bytes: number): void;
  /** @returns which of both is used up */
  exhausted(): 'upload' | 'download' | undefined;
}

/**
 * @param allowance as of now: it may change while the run lives
 * @param onExhausted called for what is spent when nothing is left
 * @param parent what the run is a part of: it pays too, and what it may not, this may not
 */
export const createBudget = (allowance: () => Allowance, onExhausted: () => void, parent: () => Budget | undefined): Budget => {
  const spent: Spent = { up: 0, down: 0 };
  const own = (): 'upload' | 'download' | undefined => {
    const { upload, download } = allowance();
    if (upload !== undefined && spent.up >= upload) return 'upload';
    return download !== undefined && spent.down >= download ? 'download' : undefined;
  };
  const exhausted = (): 'upload' | 'download' | undefined => own() ?? parent()?.exhausted();
  return {
    spend: (direction, bytes) => {
      spent[direction] += bytes;
      parent()?.spend(direction, bytes);
      if (exhausted() !== undefined) onExhausted();
    },
    exhausted,
  };
};
