/** A model server without a model: an unmodified agent asks it what to do next, and gets one turn of a script after the other, and then "done". */
import http from 'node:http';
import { messagesApi } from './messages-api.ts';
import { responsesApi } from './responses-api.ts';
import type { Turn } from './wire.ts';

/** A turn, or what a model that obeys whatever stands in its context makes of the whole request. */
export type Move = Turn | ((request: string) => Turn);

export interface Performance {
  /** What the agent's tools answered, newest last, as JSON. */
  readonly answers: readonly string[];
  /** Everything that the agent sent while it worked on the script. */
  readonly requests: readonly string[];
}

export interface ScriptedModel {
  readonly port: number;
  /** Begins a script; the one before is over. @returns what comes of it, while it goes on */
  play(script: readonly Move[]): Performance;
  close(): Promise<void>;
}

const APIS = [messagesApi, responsesApi];
const DONE: Turn = { say: 'done' };

export const startScriptedModel = async (): Promise<ScriptedModel> => {
  let script: readonly Move[] = [];
  let performance: { answers: string[]; requests: string[] } = { answers: [], requests: [] };
  const server = http.createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const json = (value: object): void => void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
      const { pathname } = new URL(request.url ?? '/', 'http://model');
      const api = APIS.find(({ path }) => path === pathname);
      if (api === undefined) return json(pathname.endsWith('count_tokens') ? { input_tokens: 10 } : {});
      const asked = api.read(body);
      if (!asked.atWork) return asked.answer(response, DONE);
      performance.requests.push(body);
      performance.answers.splice(0, performance.answers.length, ...asked.answers);
      const move = script[asked.answers.length] ?? DONE;
      asked.answer(response, typeof move === 'function' ? move(body) : move);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the model server has no port');
  return {
    port: address.port,
    play: (next) => {
      script = next;
      performance = { answers: [], requests: [] };
      return performance;
    },
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
};
