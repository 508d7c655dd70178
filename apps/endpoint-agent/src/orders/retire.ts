/**
 * The one way out of an organisation: a retirement that its approvers signed for this device. The device signs its last word, and then nothing of its key and
 * state stays but that. Nothing that is not signed so ends enforcement: no close code, no revocation, no lost session, no enrollment elsewhere.
 */
import fs from 'node:fs';
import path from 'node:path';
import { Type, type Static } from 'typebox';
import { CordonError } from '@cordon/policy/errors.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { signCompact } from '@cordon/policy/trust/envelope.ts';
import type { KeyPair } from '@cordon/policy/trust/keys.ts';
import { verifyRetirement, type OrderContext, type Retired } from '@cordon/policy/trust/orders.ts';
import { checkedFile, type CheckedFile } from '../checked-file.ts';
import { removeDurably } from '../durable.ts';

const LastWord = Type.Object(
  {
    org: Type.String({ maxLength: 64 }),
    device: Type.String({ maxLength: 64 }),
    at: Type.String({ maxLength: 32 }),
    retirement: Type.String({ maxLength: 20_000 }),
    proof: Type.String({ maxLength: 4096 }),
  },
  { additionalProperties: false },
);
export type LastWord = Static<typeof LastWord>;

const NAME = 'retired.json';
/** Removed last: as long as it is there, a wipe that was cut off goes on at the next start. */
const ENROLLMENT = 'enrollment.json';
/** Its holder is still running. */
const LOCK = 'in-use.lock';

export const lastWordIn = (stateDir: string): CheckedFile<LastWord> => checkedFile(path.join(stateDir, NAME), LastWord);

/**
 * Verifies a retirement and writes the last word down: from here on the device is retired, whatever cuts it off.
 * @throws CordonError `retirement.*`, `jws.*`, `json.*`, `state.disk-full`
 */
export const obey = async (stateDir: string, text: string, context: OrderContext, key: KeyPair): Promise<LastWord> => {
  const { org, device } = await verifyRetirement(text, context);
  const at = context.now.toISOString();
  const said: Retired = { format: 'cordon-retired/1', org, device, retirement: sha256Hex(text), at };
  const word: LastWord = { org, device, at, retirement: text, proof: await signCompact(said, 'cordon-retired+jws', key) };
  lastWordIn(stateDir).write(word);
  return word;
};

/** Removes key, policy, spool and all else, the enrollment last. */
export const wipe = (stateDir: string): void => {
  for (const name of fs.readdirSync(stateDir).filter((entry) => ![NAME, ENROLLMENT, LOCK].includes(entry)))
    fs.rmSync(path.join(stateDir, name), { recursive: true, force: true });
  removeDurably(path.join(stateDir, ENROLLMENT));
};

/**
 * Goes on with a wipe that was cut off. Only a retirement that is still found to be signed for this very device counts, at the time at which it was obeyed.
 * @returns the last word of a device that is retired by now
 */
export const finishRetirement = async (stateDir: string, context: (now: Date) => Promise<OrderContext>): Promise<LastWord | undefined> => {
  const word = lastWordIn(stateDir).read();
  if (word === undefined || word === 'damaged') return undefined;
  try {
    await verifyRetirement(word.retirement, await context(new Date(word.at)));
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return undefined; // of an earlier enrollment, or put there by someone: it ends nothing
  }
  wipe(stateDir);
  return word;
};

/** What a daemon says that is asked to start where there is nothing to enforce any more. */
export const retiredError = ({ device, org, at }: LastWord): CordonError =>
  new CordonError('device.retired', `this device was retired: ${device} left ${org} at ${at}. Enrol it anew to have it managed again`);
