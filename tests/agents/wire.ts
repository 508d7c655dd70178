/** What a scripted model needs to know of one vendor's API. */
import type http from 'node:http';

/** One turn of a model: it runs a command in the agent's own shell tool, calls a tool of an MCP server, or says something and is done. */
export type Turn =
  | { readonly shell: string }
  | { readonly mcp: { readonly server: string; readonly tool: string; readonly input: object } }
  | { readonly say: string };

/** A request of an agent, as far as a script hangs on it. */
export interface Asked {
  /** Whether the agent offers its tools: it asks for titles and summaries without them. */
  readonly atWork: boolean;
  /** What its tools answered so far, oldest first, as JSON. */
  readonly answers: readonly string[];
  /** Answers with the next turn, in the way that was asked for. */
  answer(response: http.ServerResponse, turn: Turn): void;
}

export interface Api {
  /** Path of the call that this is about. */
  readonly path: string;
  read(body: string): Asked;
}

/** Server-sent events as both vendors write them: the name of the event stands in its data too. */
export const eventsTo = (response: http.ServerResponse): ((type: string, data: object) => void) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  return (type, data) => void response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
};
