/** Which version of the agent this is. */
import description from '../package.json' with { type: 'json' };

export const AGENT_VERSION: string = description.version;
