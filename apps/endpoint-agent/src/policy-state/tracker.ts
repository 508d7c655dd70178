/** Whether all checkpoints that a device was shown are of one history. Pure: what it must ask is taken from it, and what is answered given to it. */
import { CordonError } from '@cordon/policy/errors.ts';
import { HEADERS_KEPT_DAYS, type HistoryFrame, type HistoryRequest } from '@cordon/policy/protocol/history.ts';
import { compareLinks, stepTo, type Finding, type Link } from '@cordon/policy/trust/history.ts';

/** From where it is back to an older checkpoint that this device was shown. */
interface Walk {
  readonly at: Link;
  readonly goal: Link;
}

const MAX_WALKS = 16;
const RECENT = 16;
const DAY_MS = 86_400_000;

export class Tracker {
  #newest: Link | undefined;
  /** Oldest first. */
  #walks: Walk[] = [];
  /** Digests of the last that were shown: they come again with every frame. */
  #recent: string[] = [];

  /** @param walked a checkpoint that an earlier process had, with all behind it */
  constructor(walked: Link | undefined) {
    this.#newest = walked;
    if (walked !== undefined) this.remember(walked);
  }

  get newest(): Link | undefined {
    return this.#newest;
  }

  /** The newest that is known to be of one history with all that were shown before it. */
  get walked(): Link | undefined {
    return this.#walks[0]?.goal ?? this.#newest;
  }

  get isWalking(): boolean {
    return this.#walks.length > 0;
  }

  /** One that an earlier process has looked at. */
  remember({ digest }: Link): void {
    this.#recent = [...this.#recent, digest].slice(-RECENT);
  }

  /** A checkpoint that was verified, in the order in which they come. */
  observe(link: Link): readonly Finding[] {
    if (this.#recent.includes(link.digest)) return [];
    this.remember(link);
    const newest = this.#newest;
    if (newest === undefined || link.payload.epoch > newest.payload.epoch) {
      this.#newest = link;
      return [];
    }
    const { relation, findings } = compareLinks(newest, link);
    const isLater = link.payload.number >= newest.payload.number;
    if (relation === 'apart') this.#walks.push(isLater ? { at: link, goal: newest } : { at: newest, goal: link });
    if (relation !== 'epoch' && isLater) this.#newest = link;
    return [...findings, ...(this.#walks.length > MAX_WALKS ? this.#giveUp('history.withheld') : [])];
  }

  /** What to ask next; the same until it is answered. */
  next(): HistoryRequest | undefined {
    const [walk] = this.#walks;
    if (walk === undefined) return undefined;
    const { at, goal } = walk;
    return { type: 'history', epoch: at.payload.epoch, from: at.payload.number, digest: at.digest, to: goal.payload.number };
  }

  /** @param headers those of the answer, opened; undefined when one of them could not be */
  take({ digest, to }: Pick<HistoryFrame, 'digest' | 'to'>, headers: readonly Link[] | undefined, now: Date): readonly Finding[] {
    const [walk] = this.#walks;
    if (walk === undefined || walk.at.digest !== digest || walk.goal.payload.number !== to) return [];
    if (headers === undefined) return this.#giveUp('history.withheld');
    if (headers.length === 0) {
      const isOld = Date.parse(walk.goal.payload.issuedAt) < now.getTime() - HEADERS_KEPT_DAYS * DAY_MS;
      return this.#giveUp(isOld ? 'history.gap' : 'history.withheld');
    }
    const findings: Finding[] = [];
    let { at } = walk;
    for (const header of headers) {
      try {
        const step = stepTo(at, header, walk.goal);
        findings.push(...step.findings);
        if (step.over) {
          this.#walks.shift();
          return findings;
        }
      } catch (error) {
        if (!(error instanceof CordonError) || error.code !== 'history.answer') throw error;
        return [...findings, ...this.#giveUp('history.withheld')];
      }
      at = header;
    }
    this.#walks[0] = { at, goal: walk.goal };
    return findings;
  }

  #giveUp(code: 'history.gap' | 'history.withheld'): Finding[] {
    const walk = this.#walks.shift();
    return walk === undefined ? [] : [{ code, earlier: walk.goal, later: walk.at }];
  }
}
