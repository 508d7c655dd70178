/**
 * A model server without a model: speaks enough of the Anthropic Messages API (streaming and not) to drive an unmodified Claude Code through its own
 * shell tool, one scripted command per turn, and then says "done".
 */
import http from 'node:http';

interface Block {
  readonly type: string;
  readonly content?: unknown;
}
interface MessagesRequest {
  readonly model: string;
  readonly stream?: boolean;
  readonly messages: readonly { readonly content: string | readonly Block[] }[];
  readonly tools?: readonly { readonly name: string }[];
}

export interface ScriptedModel {
  readonly port: number;
  /** What the agent's tool answered, newest last. */
  readonly answers: readonly string[];
  close(): Promise<void>;
}

const stream = (
  response: http.ServerResponse,
  message: object,
  block: { type: string; input?: unknown; text?: string },
  stopReason: string,
): void => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const event = (type: string, data: object): void => void response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  const tool = block.type === 'tool_use';
  event('message_start', { message });
  event('content_block_start', { index: 0, content_block: tool ? { ...block, input: {} } : { type: 'text', text: '' } });
  event('content_block_delta', {
    index: 0,
    delta: tool ? { type: 'input_json_delta', partial_json: JSON.stringify(block.input) } : { type: 'text_delta', text: block.text },
  });
  event('content_block_stop', { index: 0 });
  event('message_delta', { delta: { stop_reason: stopReason, stop_sequence: null }, usage: { output_tokens: 1 } });
  event('message_stop', {});
  response.end();
};

export const startScriptedModel = async (script: readonly string[]): Promise<ScriptedModel> => {
  const answers: string[] = [];
  const server = http.createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const json = (value: object): void => void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
      if (!request.url?.startsWith('/v1/messages')) return json({});
      if (request.url.includes('count_tokens')) return json({ input_tokens: 10 });
      const asked = JSON.parse(body) as MessagesRequest;
      const results = asked.messages
        .flatMap((m) => (typeof m.content === 'string' ? [] : m.content))
        .filter((block) => block.type === 'tool_result');
      answers.splice(0, answers.length, ...results.map((result) => JSON.stringify(result.content)));
      const next = (asked.tools ?? []).some((tool) => tool.name === 'Bash') && results.length < script.length;
      const block = next
        ? {
            type: 'tool_use',
            id: `toolu_${results.length}`,
            name: 'Bash',
            input: { command: script[results.length], description: 'scripted' },
          }
        : { type: 'text', text: 'done' };
      const message = {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: asked.model,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 1, output_tokens: 1 },
      };
      const stopReason = next ? 'tool_use' : 'end_turn';
      if (asked.stream === true) return stream(response, message, block, stopReason);
      return json({ ...message, content: [block], stop_reason: stopReason });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the model server has no port');
  return {
    port: address.port,
    answers,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
};
