/** `cordonctl reports verify`: whether an export of a device's reports is what the device sent and signed, offline, naming the first event that does not hold. */
import fs from 'node:fs';
import readline from 'node:readline';
import { parseArgs } from 'node:util';
import { CordonError } from '@cordon/policy/errors.ts';
import { openHead } from '@cordon/policy/trust/device-head.ts';
import { checkPublicKey, thumbprint } from '@cordon/policy/trust/keys.ts';
import { openText } from '../files.ts';
import { ChainCheck } from './chain-check.ts';
import { readLine, type LineOf } from './lines.ts';

export interface Outcome {
  readonly device: string | undefined;
  readonly chains: number;
  readonly batches: number;
  readonly events: number;
  /** Events up to the last signed end of their chain: for these there is the device's signature. The rest came in its sessions. */
  readonly signed: number;
  /** Signed ends that none of the device's keys signed: they prove nothing. */
  readonly foreign: number;
  /** Events that are not here because their days are over. */
  readonly expired: number;
  /** The first event that does not hold, its line counted from 1, and why. */
  readonly bad:
    | { readonly line: number; readonly boot: string | undefined; readonly seq: number | undefined; readonly why: string }
    | undefined;
}

export interface VerifyOptions {
  /** Thumbprints of the device's keys, from somewhere else than the export; without them the export is believed about its keys. */
  readonly keys: ReadonlySet<string> | undefined;
  /** The beginnings of chains may be missing: retention takes whole days. */
  readonly expired: boolean;
}

type Header = LineOf<'reports'>;

/** @throws CordonError when the line says what no device's key is */
const keysOf = ({ keys }: Header, known: ReadonlySet<string> | undefined): Header['keys'] =>
  keys.map((key) => checkPublicKey(key)).filter((key) => known === undefined || known.has(thumbprint(key)));

/** Streams: of the whole no more is held than the signed ends of one chain, and the names of the chains. */
export const verifyReports = async (lines: AsyncIterable<string>, { keys: known, expired }: VerifyOptions): Promise<Outcome> => {
  let header: Header | undefined;
  let keys: Header['keys'] = [];
  let chain: ChainCheck | undefined;
  const names = new Set<string>();
  const counts = { batches: 0, heads: 0, events: 0, signed: 0, foreign: 0, expired: 0 };
  let number = 0;
  let ended = false;
  const outcome = (bad?: Outcome['bad']): Outcome => {
    const { batches, events, signed, foreign } = counts;
    return { device: header?.device, chains: names.size, batches, events, signed, foreign, expired: counts.expired, bad };
  };
  const bad = (why: string, boot?: string, seq?: number): Outcome => outcome({ line: number, boot, seq, why });
  /** @returns what is wrong with the chain that ends here */
  const finish = (): Outcome | undefined => {
    if (chain === undefined) return undefined;
    const fault = chain.finish();
    counts.signed += Math.max(0, chain.covered - chain.before);
    counts.expired += chain.before;
    return fault && bad(fault.why, chain.boot, fault.seq);
  };
  for await (const text of lines) {
    if (text === '') continue;
    number += 1;
    const line = readLine(text);
    if (line === undefined) return bad('is not a line of an export of reports');
    if (ended) return bad('comes after the end');
    if (header === undefined) {
      if (line.type !== 'reports') return bad('stands where the export has to begin');
      header = line;
      keys = keysOf(line, known);
      continue;
    }
    if (line.type === 'reports') return bad('begins a second export');
    if (line.type === 'end') {
      const fault = finish();
      if (fault !== undefined) return fault;
      if (line.batches !== counts.batches || line.heads !== counts.heads)
        return bad(
          `says ${line.batches} batches and ${line.heads} signed ends, and ${counts.batches} and ${counts.heads} are here: lines are missing`,
        );
      ended = true;
      continue;
    }
    if (chain?.boot !== line.boot) {
      const fault = finish();
      if (fault !== undefined) return fault;
      if (names.has(line.boot)) return bad('continues a chain that was over', line.boot);
      names.add(line.boot);
      chain = new ChainCheck(line.boot, expired);
    }
    if (line.type === 'head') {
      counts.heads += 1;
      const { boot, seq, hash } = line;
      const { org, device } = header;
      try {
        await openHead(line.head, { org, device, boot, seq, hash }, keys);
        chain.sign(line);
      } catch (error) {
        if (!(error instanceof CordonError)) throw error;
        counts.foreign += 1;
      }
      continue;
    }
    const fault = chain.add(line);
    if (fault !== undefined) return bad(fault.why, line.boot, fault.seq);
    counts.batches += 1;
    counts.events += line.events.length;
  }
  number += 1;
  return ended ? outcome() : bad('is missing: the export was cut off');
};

const say = ({ device = '?', chains, batches, events, signed, foreign, expired, bad }: Outcome): string => {
  const at = bad?.seq === undefined ? '' : ` (event ${bad.seq}${bad.boot === undefined ? '' : ` of ${bad.boot}`})`;
  const verdict = bad === undefined ? 'hold' : 'before it hold';
  return [
    ...(bad === undefined ? [] : [`line ${bad.line}${at} ${bad.why}`]),
    `${events} events in ${batches} batches and ${chains} chains of ${device} ${verdict}; ${signed} of them stand under the device's signature`,
    ...(foreign === 0 ? [] : [`${foreign} signed ends are not by a key of the device, and prove nothing`]),
    ...(expired === 0 ? [] : [`${expired} events are not here: the beginnings of their chains are gone`]),
    '',
  ].join('\n');
};

export const verifyReportsCommand = async (args: readonly string[]): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      key: { type: 'string', multiple: true },
      expired: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const [file] = positionals;
  if (file === undefined) throw new CordonError('cli.usage', 'cordonctl reports verify FILE [--key THUMBPRINT...] [--expired] [--json]');
  const input = file === '-' ? process.stdin : fs.createReadStream('', { fd: openText(file) });
  const outcome = await verifyReports(readline.createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }), {
    keys: values.key && new Set(values.key),
    expired: values.expired,
  });
  process.stdout.write(values.json ? `${JSON.stringify(outcome)}\n` : say(outcome));
  return outcome.bad === undefined ? 0 : 1;
};
