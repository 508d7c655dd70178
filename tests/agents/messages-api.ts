/** Enough of Anthropic's Messages API, streaming and not, to drive an unmodified Claude Code through its tools. */
import { eventsTo, type Api, type Turn } from './wire.ts';

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

const blockOf = (turn: Turn, id: string) => {
  if ('say' in turn) return { type: 'text', text: turn.say };
  const [name, input] =
    'shell' in turn
      ? ['Bash', { command: turn.shell, description: 'scripted' }]
      : [`mcp__${turn.mcp.server}__${turn.mcp.tool}`, turn.mcp.input];
  return { type: 'tool_use', id, name, input };
};

export const messagesApi: Api = {
  path: '/v1/messages',
  read: (body) => {
    const { model, stream = false, messages, tools = [] } = JSON.parse(body) as MessagesRequest;
    const answers = messages
      .flatMap(({ content }) => (typeof content === 'string' ? [] : content))
      .filter(({ type }) => type === 'tool_result')
      .map(({ content }) => JSON.stringify(content));
    return {
      atWork: tools.some(({ name }) => name === 'Bash'),
      answers,
      answer: (response, turn) => {
        const block = blockOf(turn, `toolu_${answers.length}`);
        const stopReason = block.type === 'tool_use' ? 'tool_use' : 'end_turn';
        const message = {
          id: `msg_${answers.length}`,
          type: 'message',
          role: 'assistant',
          model,
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { input_tokens: 1, output_tokens: 1 },
        };
        if (!stream) {
          response.writeHead(200, { 'content-type': 'application/json' });
          return void response.end(JSON.stringify({ ...message, content: [block], stop_reason: stopReason }));
        }
        const event = eventsTo(response);
        event('message_start', { message });
        const [start, delta] =
          'input' in block
            ? [
                { ...block, input: {} },
                { type: 'input_json_delta', partial_json: JSON.stringify(block.input) },
              ]
            : [
                { ...block, text: '' },
                { type: 'text_delta', text: block.text },
              ];
        event('content_block_start', { index: 0, content_block: start });
        event('content_block_delta', { index: 0, delta });
        event('content_block_stop', { index: 0 });
        event('message_delta', { delta: { stop_reason: stopReason, stop_sequence: null }, usage: { output_tokens: 1 } });
        event('message_stop', {});
        response.end();
      },
    };
  },
};
