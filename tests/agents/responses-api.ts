/** Enough of OpenAI's Responses API to drive an unmodified Codex through its tools. It always streams. */
import { eventsTo, type Api, type Turn } from './wire.ts';

interface ResponsesRequest {
  readonly input: readonly { readonly type: string; readonly output?: unknown }[];
  readonly tools?: readonly { readonly name?: string }[];
}

const itemOf = (turn: Turn, id: string): object => {
  if ('say' in turn) return { type: 'message', id, role: 'assistant', content: [{ type: 'output_text', text: turn.say }] };
  const call =
    'shell' in turn
      ? { name: 'exec_command', arguments: JSON.stringify({ cmd: turn.shell }) }
      : { namespace: `mcp__${turn.mcp.server}`, name: turn.mcp.tool, arguments: JSON.stringify(turn.mcp.input) };
  return { type: 'function_call', id, call_id: `call_${id}`, ...call };
};

export const responsesApi: Api = {
  path: '/v1/responses',
  read: (body) => {
    const { input, tools = [] } = JSON.parse(body) as ResponsesRequest;
    const answers = input.filter(({ type }) => type === 'function_call_output').map(({ output }) => JSON.stringify(output));
    return {
      atWork: tools.some(({ name }) => name === 'exec_command'),
      answers,
      answer: (response, turn) => {
        const event = eventsTo(response);
        const id = `resp_${answers.length}`;
        event('response.created', { response: { id } });
        event('response.output_item.done', { item: itemOf(turn, `item_${answers.length}`) });
        const usage = { input_tokens: 1, input_tokens_details: null, output_tokens: 1, output_tokens_details: null, total_tokens: 2 };
        event('response.completed', { response: { id, usage } });
        response.end();
      },
    };
  },
};
