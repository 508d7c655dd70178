/** This device's end of a tunnel: a stream of bytes whose every piece is an ordinary request, for networks that let no WebSocket through (protocol/tunnel.ts). */
import { Duplex } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { MAX_TUNNEL_DOWN, MAX_TUNNEL_UP, OFFSET_HEADER, TUNNEL_PATH, TunnelReply } from '@cordon/policy/protocol/tunnel.ts';
import { call, checkServer, type Means } from '../identity/device-api.ts';
import type { Network } from '../network/network.ts';
import type { Answer } from '../network/request.ts';

const Reply = Compile(TunnelReply);
/** Tries of one piece, and the pause between them: a proxy that restarts costs no session. */
const TRIES = 3;
const PAUSE_MS = 1000;
/** Beyond the time for which the server holds a question. */
const SLACK_MS = 15_000;

interface Chunk {
  readonly chunk: Buffer;
}

type Done = (error?: Error | null) => void;

class Tunnel extends Duplex {
  readonly #network: Network;
  readonly #url: URL;
  readonly #id: string;
  readonly #timeoutMs: number;
  readonly #stop = new AbortController();
  #sent = 0;
  #received = 0;
  #polling = false;

  constructor(network: Network, server: string, { tunnel, pollSeconds }: TunnelReply) {
    super({ highWaterMark: MAX_TUNNEL_UP });
    this.#network = network;
    this.#url = new URL(TUNNEL_PATH, checkServer(server));
    this.#id = tunnel;
    this.#timeoutMs = pollSeconds * 1000 + SLACK_MS;
  }

  /** Asks, and once more with the same offset while it may be the network that failed. @returns undefined when the tunnel is over */
  async #ask(way: 'up' | 'down', offset: number, body: Uint8Array): Promise<Answer | undefined> {
    const url = new URL(`${this.#url.pathname}/${way}`, this.#url);
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await this.#network.request(url, {
          method: 'POST',
          headers: { authorization: `Bearer ${this.#id}`, [OFFSET_HEADER]: String(offset), 'content-type': 'application/octet-stream' },
          body,
          maxBytes: MAX_TUNNEL_DOWN,
          signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(this.#timeoutMs)]),
        });
        if (answer.status === 410) return undefined;
        if (answer.status === 200 || answer.status === 204) return answer;
        throw new CordonError('tunnel.broken', `the tunnel broke: ${url.pathname} answered ${answer.status}`, {
          retryable: answer.status >= 500,
        });
      } catch (error) {
        const isFinal = error instanceof CordonError && !error.retryable;
        if (isFinal || this.#stop.signal.aborted || attempt >= TRIES) throw error;
        await wait(PAUSE_MS * attempt, undefined, { signal: this.#stop.signal });
      }
    }
  }

  async #poll(): Promise<void> {
    this.#polling = true;
    try {
      for (let wanted = true; wanted;) {
        const answer = await this.#ask('down', this.#received, Buffer.alloc(0));
        if (answer === undefined) return void this.push(null);
        this.#received += answer.body.length;
        wanted = answer.body.length === 0 || this.push(answer.body);
      }
    } finally {
      this.#polling = false;
    }
  }

  override _read(): void {
    if (!this.#polling) this.#poll().catch((error: unknown) => this.destroy(error instanceof Error ? error : new Error(String(error))));
  }

  override _writev(chunks: Chunk[], done: Done): void {
    void this.#carry(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    void this.#carry(chunk, done);
  }

  async #carry(bytes: Buffer, done: Done): Promise<void> {
    let failure: Error | null = null;
    try {
      await this.#send(bytes);
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
    }
    done(failure);
  }

  async #send(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; at += MAX_TUNNEL_UP) {
      const part = bytes.subarray(at, at + MAX_TUNNEL_UP);
      if ((await this.#ask('up', this.#sent, part)) === undefined)
        throw new CordonError('tunnel.ended', 'the tunnel is over', { retryable: true });
      this.#sent += part.length;
    }
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#stop.abort();
    done(error);
  }
}

/** @param ticket shown here, and used up inside by the upgrade. @throws CordonError `server.*`, or the server's own code */
export const openTunnel = async (server: string, ticket: string, means: Means): Promise<Duplex> => {
  const reply = await call(server, TUNNEL_PATH, {}, Reply, { ...means, headers: { authorization: `Bearer ${ticket}` } });
  return new Tunnel(means.network, server, reply);
};
