/** After a restore the signer's memory is older than what devices have seen: it must sign nothing more in that epoch. Only the root opens the next one. */
import fs from 'node:fs';
import { writeDurably } from '../durable.ts';
import { readHighWater, type HighWater, type Mark } from '../signer/decide.ts';
import { signerFiles } from '../signer/organisation.ts';

/** No serial is higher: a signer with this mark refuses every checkpoint of the epoch. */
const CLOSED = Number.MAX_SAFE_INTEGER;

export const isClosed = ({ serial }: HighWater): boolean => serial === CLOSED;

const keptIn = (signerFolder: string): Mark | undefined => {
  const { state } = signerFiles(signerFolder);
  return fs.existsSync(state) ? readHighWater(fs.readFileSync(state, 'utf8')) : undefined;
};

/** @returns null when the signer has signed nothing yet. @throws CordonError `signer.state` */
export const readMark = (signerFolder: string): HighWater | null => {
  const kept = keptIn(signerFolder);
  return kept === undefined ? null : { epoch: kept.epoch, serial: kept.serial };
};

/** The mark rises above the signer's state beside it, which stays: what devices have is not forgotten. @param epoch the newest that the database knows of */
export const closeEpoch = (signerFolder: string, epoch: number): void => {
  const kept = keptIn(signerFolder);
  writeDurably(signerFiles(signerFolder).state, JSON.stringify({ ...kept, epoch: Math.max(epoch, kept?.epoch ?? 0), serial: CLOSED }));
};
