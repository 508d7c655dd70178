/** All readers of the live view of this replica: asks the database once for all of them, at most ten times a second, and tells each what is new to it. */
import { CLOSE } from '@cordon/policy/protocol/channel.ts';
import type { FastifyBaseLogger } from 'fastify';
import type { Progress } from '../publishing/progress.ts';
import type { Watcher } from './watcher.ts';

/** Between two looks at the database. */
const LOOK_MS = 100;
/** Reports that another replica stored are seen this late at most, and so are tokens that have ended. */
const TICK_MS = 1000;
const PING_TICKS = 25;
export const MOST = { all: 100, perToken: 10 } as const;

export interface Newest {
  readonly id: string;
  readonly title: string;
  readonly serial: number | null;
  readonly publishedAt: Date | null;
}

export interface Sources {
  newest(): Promise<Newest | null>;
  follow(changeSet: string): Promise<(() => Promise<Progress>) | undefined>;
  /** Which of these tokens may not be used any more, and the code that says why. */
  ended(tokens: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

interface Topic {
  readonly progress: () => Promise<Progress>;
  told: string;
}

export class Watchers {
  readonly #sources: Sources;
  readonly #log: FastifyBaseLogger;
  readonly #all = new Set<Watcher>();
  /** By change set: those that somebody watches. */
  readonly #topics = new Map<string, Topic>();
  readonly #ticking: NodeJS.Timeout;
  #newest: Newest | null | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #again = false;
  #ticks = 0;

  constructor(sources: Sources, log: FastifyBaseLogger) {
    this.#sources = sources;
    this.#log = log;
    this.#ticking = setInterval(() => void this.tick(), TICK_MS);
    this.#ticking.unref();
  }

  /** Whether one more with this token has room. */
  hasRoom(token: string): boolean {
    return this.#all.size < MOST.all && [...this.#all].filter((watcher) => watcher.token === token).length < MOST.perToken;
  }

  add(watcher: Watcher): void {
    this.#all.add(watcher);
    this.touch();
  }

  remove(watcher: Watcher): void {
    this.#all.delete(watcher);
    if (this.#all.size === 0) this.#newest = undefined;
  }

  /** Something was published, or reports were stored. Costs nothing while nobody watches. */
  touch(): void {
    if (this.#all.size === 0) return;
    if (this.#looking !== undefined) this.#again = true;
    else this.#timer ??= setTimeout(() => this.#start(), LOOK_MS);
  }

  /** Ends those whose token has ended or that do not answer. */
  async tick(): Promise<void> {
    if (this.#all.size === 0) return;
    this.#ticks += 1;
    if (this.#ticks % PING_TICKS === 0) this.#ping();
    this.touch();
    try {
      const ended = await this.#sources.ended([...new Set([...this.#all].map(({ token }) => token))]);
      for (const watcher of this.#all) {
        const code = ended.get(watcher.token);
        if (code !== undefined) watcher.socket.close(CLOSE.revoked, code);
      }
    } catch (error) {
      this.#log.warn({ err: error }, 'whether the tokens of watchers still hold could not be read; it is asked again');
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#ticking);
    clearTimeout(this.#timer);
    for (const { socket } of this.#all) socket.close(CLOSE.restart, 'service.restarts');
    await this.#looking;
    for (const { socket } of this.#all) socket.terminate();
  }

  #ping(): void {
    for (const watcher of this.#all) {
      if (!watcher.answered) watcher.socket.terminate();
      watcher.answered = false;
      watcher.socket.ping();
    }
  }

  #start(): void {
    this.#timer = undefined;
    this.#again = false;
    this.#looking = this.#look()
      .catch((error: unknown) => this.#log.warn({ err: error }, 'the live view could not be read; it is read again'))
      .finally(() => {
        this.#looking = undefined;
        if (this.#again) this.touch();
      });
  }

  async #look(): Promise<void> {
    const newest = await this.#sources.newest();
    const isNews = newest !== null && this.#newest !== undefined && newest.id !== this.#newest?.id;
    this.#newest = newest;
    if (isNews) {
      const { id, title, serial, publishedAt } = newest;
      const text = JSON.stringify({ type: 'published', changeSet: id, serial, title, publishedAt: publishedAt?.toISOString() ?? null });
      for (const watcher of this.#all) if (!watcher.isNew) watcher.send('published', text);
    }
    const watched = Map.groupBy(this.#all, ({ changeSet }) => changeSet ?? newest?.id ?? '');
    for (const changeSet of this.#topics.keys()) if (!watched.has(changeSet)) this.#topics.delete(changeSet);
    for (const [changeSet, watchers] of watched) await this.#tell(changeSet, watchers);
  }

  async #tell(changeSet: string, watchers: readonly Watcher[]): Promise<void> {
    let topic = this.#topics.get(changeSet);
    if (topic === undefined) {
      const progress = changeSet === '' ? undefined : await this.#sources.follow(changeSet);
      if (progress === undefined) {
        // Nothing has been published yet: what comes first is news to them.
        for (const watcher of watchers) watcher.isNew = false;
        return;
      }
      topic = { progress, told: '' };
      this.#topics.set(changeSet, topic);
    }
    const text = JSON.stringify({ type: 'progress', ...(await topic.progress()) });
    const isNews = text !== topic.told;
    topic.told = text;
    for (const watcher of watchers) {
      if (isNews || watcher.isNew) watcher.send('progress', text);
      watcher.isNew = false;
    }
  }
}
