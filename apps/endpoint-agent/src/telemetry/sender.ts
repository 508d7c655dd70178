/** Sends the spool's batches, one at a time, and copes with what the control plane says of them. */
import type { TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import type { Spool } from './spool.ts';

const MOST_MS = 60_000;

export interface Sender {
  /** Sends what waits, unless it is on its way already. */
  flush(): void;
  onAck(boot: string, seq: number): void;
  /** A batch was not stored. Codes of other areas are not for here. */
  onProblem(code: string): void;
  onConnected(): void;
}

export interface SenderOptions {
  readonly spool: Pick<Spool, 'next' | 'acknowledge' | 'rechain' | 'giveUp'>;
  /** @returns whether it was handed to an open connection */
  readonly send: (batch: TelemetryFrame) => boolean;
  /** Milliseconds that only grow. */
  readonly clock: () => number;
}

export const createSender = ({ spool, send, clock }: SenderOptions): Sender => {
  let inFlight = '';
  let refusals = 0;
  /** How often the same was said of the same batch, one time after the other. */
  let verdict = { code: '', times: 0 };
  let notBefore = 0;
  const flush = (): void => {
    if (clock() < notBefore) return;
    const batch = spool.next();
    const name = batch === undefined ? '' : `${batch.boot}/${batch.seqTo}`;
    if (batch !== undefined && name !== inFlight && send(batch)) inFlight = name;
  };
  return {
    flush,
    onAck: (boot, seq) => {
      refusals = 0;
      verdict = { code: '', times: 0 };
      spool.acknowledge(boot, seq);
      flush();
    },
    onProblem: (code) => {
      if (!code.startsWith('telemetry.')) return;
      inFlight = '';
      refusals += 1;
      notBefore = clock() + Math.min(MOST_MS, 500 * 2 ** refusals);
      verdict = { code, times: verdict.code === code ? verdict.times + 1 : 1 };
      // Once may be a moment's trouble of the control plane; said again of the same batch, it will not change.
      if (verdict.times % 2 === 1) return;
      if (code === 'telemetry.gap' || code === 'telemetry.fork') spool.rechain();
      if (code === 'telemetry.refused') spool.giveUp();
    },
    onConnected: () => {
      inFlight = '';
      notBefore = 0;
      flush();
    },
  };
};
