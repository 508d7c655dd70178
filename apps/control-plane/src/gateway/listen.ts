/** One LISTEN connection of its own. It is made anew when it breaks, and after each connect the whole state is compared, since notifications were missed. */
import pg from 'pg';
import type { FastifyBaseLogger } from 'fastify';
import { poolConfig, type DatabaseAccess } from '../db/client.ts';

const PROBE_MS = 15_000;
const PROBE_TIMEOUT_MS = 5000;
const BACKOFF_MS = { first: 100, most: 5000 } as const;

export interface Listening {
  close(): Promise<void>;
}

interface Options {
  readonly access: DatabaseAccess;
  /** Channels, and who is told of what comes there. */
  readonly channels: Readonly<Record<string, (payload: string) => void>>;
  readonly log: FastifyBaseLogger;
  /** After every connect, the first included. A failure breaks the connection, and all begins again. */
  readonly onConnected: () => Promise<void>;
}

/** Keeps listening until closed; never throws. Broken connections are found by keepalive and by a query every 15 seconds. */
export const listen = ({ access, channels, log, onConnected }: Options): Listening => {
  const stop = new AbortController();
  let client: pg.Client | undefined;

  const connection = async (): Promise<void> => {
    const { promise: broken, reject } = Promise.withResolvers<never>();
    broken.catch(() => undefined);
    client = new pg.Client({ ...poolConfig(access, 1), query_timeout: PROBE_TIMEOUT_MS });
    client.on('error', reject);
    client.on('end', () => reject(new Error('the connection ended')));
    client.on('notification', ({ channel, payload }) => channels[channel]?.(payload ?? ''));
    await client.connect();
    for (const channel of Object.keys(channels)) await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
    await onConnected();
    const probe = setInterval(() => void client?.query('SELECT 1').catch(reject), PROBE_MS);
    try {
      await broken;
    } finally {
      clearInterval(probe);
    }
  };

  const wait = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      stop.signal.addEventListener(
        'abort',
        () => {
          clearTimeout(timer);
          resolve();
        },
        { once: true },
      );
    });

  const run = async (): Promise<void> => {
    let backoff: number = BACKOFF_MS.first;
    while (!stop.signal.aborted) {
      const began = Date.now();
      await connection().catch((error: unknown) => {
        if (!stop.signal.aborted) log.warn({ err: error }, 'listening to the database broke; connecting again');
      });
      await client?.end().catch((error: unknown) => log.debug({ err: error }, 'closing a broken connection'));
      if (stop.signal.aborted) return;
      backoff = Date.now() - began > BACKOFF_MS.most ? BACKOFF_MS.first : Math.min(BACKOFF_MS.most, backoff * 2);
      await wait(backoff);
    }
  };

  const running = run();
  return {
    close: async () => {
      stop.abort();
      await client?.end().catch((error: unknown) => log.debug({ err: error }, 'closing the listening connection'));
      await running;
    },
  };
};
