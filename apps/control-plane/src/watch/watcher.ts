/** One reader of the live view. Whoever reads slowly gets the newest message of each kind and none of those between: nothing piles up. */
import type { WebSocket } from 'ws';

export type Kind = 'published' | 'progress';

export class Watcher {
  readonly socket: Pick<WebSocket, 'send' | 'close' | 'ping' | 'terminate'>;
  /** The API token that opened it. */
  readonly token: string;
  /** The change set that it asked for; undefined is always the newest. */
  readonly changeSet: string | undefined;
  /** It has not been told yet how things stand. */
  isNew = true;
  /** Whether it answered the last ping. */
  answered = true;
  #sending = false;
  readonly #waiting = new Map<Kind, string>();

  constructor(socket: Watcher['socket'], token: string, changeSet: string | undefined) {
    this.socket = socket;
    this.token = token;
    this.changeSet = changeSet;
  }

  send(kind: Kind, text: string): void {
    this.#waiting.set(kind, text);
    if (!this.#sending) this.#next();
  }

  /** What was published is said before how far it has come. */
  #next(): void {
    for (const kind of ['published', 'progress'] as const) {
      const text = this.#waiting.get(kind);
      if (text === undefined) continue;
      this.#waiting.delete(kind);
      this.#sending = true;
      this.socket.send(text, (error) => {
        this.#sending = false;
        if (error === undefined || error === null) this.#next();
      });
      return;
    }
  }
}
