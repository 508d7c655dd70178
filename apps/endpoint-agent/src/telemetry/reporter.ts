/** What the device reports, from the spool to the control plane: batches of its events, and its signatures over the ends of their chains. */
import type { SelfTest, TelemetryAck, HeadAck, UpFrame } from '@cordon/policy/protocol/channel.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { signHead, type HeadStatement } from '@cordon/policy/trust/device-head.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import type { KeyPair } from '@cordon/policy/trust/keys.ts';
import type { Static } from 'typebox';
import { createHeads } from './heads.ts';
import { createSender } from './sender.ts';
import type { Spool } from './spool.ts';

/** Events that come together go together. */
const FLUSH_MS = 100;
/** What was refused is tried again, and ends of chains fall due: nothing that is in a hurry, and a machine that sleeps is not woken ten times a second. */
const LOOK_MS = 1000;

export interface Reporter {
  onFrame(frame: Static<typeof TelemetryAck> | Static<typeof HeadAck>): void;
  onProblem(code: string): void;
  onConnected(): void;
  /** The result of a self-test, as an event of the chain; its frame is only faster. */
  selfTested(result: SelfTest): void;
  /** Signs what is not signed yet; nothing is sent after that. */
  finish(): Promise<void>;
}

export interface ReporterOptions {
  readonly spool: Spool;
  readonly device: Pick<HeadStatement, 'org' | 'device' | 'assurance'>;
  readonly key: () => KeyPair;
  /** What is in force now. */
  readonly enforced: () => HeadStatement['enforced'];
  /** @returns whether it was handed to an open connection */
  readonly send: (frame: UpFrame) => boolean;
  readonly now: () => Date;
  /** Milliseconds that only grow. */
  readonly clock: () => number;
  readonly log: (message: string) => void;
}

/** Sends until it is finished. */
export const startReporter = ({ spool, device, key, enforced, send, now, clock, log }: ReporterOptions): Reporter => {
  const sender = createSender({ spool, send, clock });
  const heads = createHeads({
    spool,
    sign: ({ boot, seq, hash }) => {
      const { org, device: id, assurance } = device;
      const statement = { org, device: id, boot, seq, hash, at: now().toISOString(), enforced: enforced(), assurance };
      return signHead({ format: 'cordon-head/1', ...statement }, key());
    },
    send,
    clock,
    log,
  });
  const look = (): void => {
    sender.flush();
    void heads.look();
  };
  const timer = setInterval(look, LOOK_MS);
  let soon: NodeJS.Timeout | undefined;
  spool.onAppend(() => {
    soon ??= setTimeout(() => {
      soon = undefined;
      look();
    }, FLUSH_MS);
  });
  return {
    onFrame: (frame) => {
      if (frame.type === 'telemetry.ack') sender.onAck(frame.boot, frame.seq);
      else spool.headStored(frame.boot, frame.signed);
    },
    onProblem: sender.onProblem,
    onConnected: () => {
      sender.onConnected();
      heads.onConnected();
    },
    selfTested: (result) => {
      const { digest, passed, checks } = result;
      const failed = checks.filter((check) => !check.passed).map(({ name }) => name);
      spool.append({ kind: 'selftest', digest, passed, failed, result: sha256Hex(canonicalJson(result)) });
    },
    finish: () => {
      clearInterval(timer);
      clearTimeout(soon);
      spool.onAppend(() => undefined);
      return heads.finish();
    },
  };
};
