/** The channel to the control plane: connects, says hello, receives desired state, sends reports, and comes back by itself for as long as the daemon lives. */
import { setTimeout as wait } from 'node:timers/promises';
import { Compile } from 'typebox/compile';
import type WebSocket from 'ws';
import { CordonError } from '@cordon/policy/errors.ts';
import { MAX_FRAME_DOWN, type DownFrame, type UpFrame } from '@cordon/policy/protocol/channel.ts';
import { PackedState, unpackState } from '@cordon/policy/protocol/packed.ts';
import { frameSince } from '@cordon/policy/protocol/since.ts';
import { readDown } from '@cordon/policy/protocol/tolerant.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';
import { backoff } from './backoff.ts';

export interface Opened {
  readonly socket: WebSocket;
  /** The version of the protocol that both sides speak. */
  readonly protocol: number;
}

export interface ChannelOptions {
  /** The organisation's id. */
  readonly org: string;
  /** Opens a session; gives up when the signal is aborted. */
  readonly open: (signal: AbortSignal) => Promise<Opened>;
  /** What to say first, made anew for each connection. */
  readonly hello: () => UpFrame;
  /** Handles one frame at a time, in order. */
  readonly onFrame: (frame: DownFrame) => Promise<void>;
  readonly onConnected: () => void;
  readonly log: (message: string) => void;
  readonly signal: AbortSignal;
  readonly random: () => number;
}

export interface Channel {
  /** @returns whether it was handed to an open connection; nothing is queued here */
  send(frame: UpFrame): boolean;
  readonly connected: () => boolean;
  /** Ends when the signal is aborted. */
  readonly done: Promise<void>;
}

const Packed = Compile(PackedState);
/** No frame and no ping for so long: the connection is dead, whatever TCP says. */
const SILENCE_MS = 90_000;
const STABLE_MS = 60_000;
/** For the other side's goodbye, when this one stops. */
const CLOSE_MS = 2000;

/** @returns undefined for a kind that only a newer version has. @throws CordonError `channel.frame`, `json.*` */
const readFrame = (data: WebSocket.RawData, binary: boolean, org: string): DownFrame | undefined => {
  if (binary) throw new CordonError('channel.frame', 'a binary frame');
  const value = parseStrictJson(new Uint8Array(data as Buffer), { maxBytes: MAX_FRAME_DOWN, maxDepth: 16 });
  if (Packed.Check(value)) return unpackState(value, org);
  const frame = readDown(value);
  if (frame === undefined) throw new CordonError('channel.frame', 'a frame that this version does not understand');
  return frame === 'unknown' ? undefined : frame;
};

/** One connection, until it ends. */
const converse = ({ socket, protocol }: Opened, options: ChannelOptions): Promise<void> =>
  new Promise((resolve) => {
    let turn = Promise.resolve();
    let silence: NodeJS.Timeout;
    const heard = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => socket.terminate(), SILENCE_MS);
    };
    let last: NodeJS.Timeout | undefined;
    const stop = (): void => {
      socket.close(1000);
      last = setTimeout(() => socket.terminate(), CLOSE_MS);
    };
    heard();
    options.signal.addEventListener('abort', stop, { once: true });
    socket.on('ping', heard);
    socket.on('message', (data, binary) => {
      heard();
      try {
        const frame = readFrame(data, binary, options.org);
        if (frame === undefined) return options.log('the server sent a kind of frame that only newer versions know; it is passed over');
        turn = turn
          .then(() => options.onFrame(frame))
          .catch((error: unknown) => options.log(`frame ${frame.type}: ${error instanceof Error ? error.message : String(error)}`));
      } catch (error) {
        options.log(`the server sent what is not understood: ${error instanceof Error ? error.message : String(error)}`);
        socket.close(4400);
      }
    });
    socket.on('error', (error) => options.log(`channel: ${error.message}`));
    socket.once('close', (code, reason) => {
      clearTimeout(silence);
      clearTimeout(last);
      options.signal.removeEventListener('abort', stop);
      options.log(`channel closed (${code}${reason.length > 0 ? ` ${reason.toString('utf8').slice(0, 80)}` : ''})`);
      void turn.then(resolve);
    });
    socket.resume();
    socket.send(JSON.stringify({ ...options.hello(), protocol }));
    options.onConnected();
  });

export const startChannel = (options: ChannelOptions): Channel => {
  let opened: Opened | undefined;
  const run = async (): Promise<void> => {
    for (let attempt = 0; !options.signal.aborted; attempt += 1) {
      const start = performance.now();
      try {
        opened = await options.open(options.signal);
        await converse(opened, options);
        if (performance.now() - start > STABLE_MS) attempt = 0;
      } catch (error) {
        options.log(`not connected: ${error instanceof Error ? error.message : String(error)}`);
      }
      opened = undefined;
      // An aborted wait is the end that was asked for.
      await wait(backoff(attempt, options.random()), undefined, { signal: options.signal }).catch(() => undefined);
    }
  };
  const connected = (): boolean => opened?.socket.readyState === 1;
  return {
    connected,
    send: (frame) => {
      // What the other side does not know yet waits until it does.
      if (opened === undefined || !connected() || frameSince(frame) > opened.protocol) return false;
      opened.socket.send(JSON.stringify(frame));
      return true;
    },
    done: run(),
  };
};
