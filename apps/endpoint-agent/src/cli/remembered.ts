/** Questions about what was: asked of the daemon, or read from its folder by whoever may enter that while it is down. */
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { readConfig } from '../config.ts';
import { connectLocal, ownSocket } from '../local-api/client.ts';
import { KIND, type Reply } from '../local-api/protocol.ts';
import type { Answering } from '../run-log/answer.ts';
import type { MemoryRequest } from '../run-log/requests.ts';

/** @throws CordonError `run.unknown` for what no run is called */
export const requireRunName = (name: string | undefined): void => {
  if (name !== undefined && !/^run_[A-Za-z0-9_-]{1,60}$/.test(name))
    throw new CordonError('run.unknown', `${name} is no run: they are called run_…; see cordon runs`);
};

const mayRead = (folder: string): boolean => {
  try {
    fs.accessSync(folder, fs.constants.R_OK | fs.constants.X_OK);
    return true;
  } catch {
    return false; // it is another account's
  }
};

/** While the daemon is down nothing follows, and nothing lives. */
const fromFolder = async (stateDir: string, request: MemoryRequest, onReply: (reply: Reply) => void): Promise<void> => {
  const [{ answerFrom }, { openRunLog }] = await Promise.all([import('../run-log/answer.ts'), import('../run-log/run-log.ts')]);
  const uid = process.getuid?.() ?? 0;
  const here: Answering = {
    stateDir,
    runLog: openRunLog(path.join(stateDir, 'run-log'), () => new Date()),
    isLive: () => false,
  };
  answerFrom('follow' in request ? { ...request, follow: false } : request, { uid, isOwn: true }, here, {
    reply: onReply,
    end: () => undefined,
  });
};

/** Every reply, until there are no more. @throws CordonError with the daemon's code */
export const askAbout = async (request: MemoryRequest, onReply: (reply: Reply) => void): Promise<void> => {
  const config = readConfig();
  let refused: CordonError | undefined;
  const hear = (reply: Reply): void => {
    if (reply.type === 'error') refused = new CordonError(reply.code, reply.message);
    else onReply(reply);
  };
  try {
    const client = await connectLocal(ownSocket(config), (kind, payload) => {
      if (kind === KIND.control) hear(JSON.parse(payload.toString('utf8')) as Reply);
    });
    const closed = new Promise<void>((resolve) => client.socket.once('close', () => resolve()));
    client.send(request);
    await closed;
  } catch (error) {
    const isDown = error instanceof CordonError && error.code === 'daemon.not-running';
    if (!isDown || config.runSocket !== undefined || !mayRead(config.stateDir)) throw error;
    await fromFolder(config.stateDir, request, hear);
  }
  if (refused !== undefined) throw refused;
};
