/** The live view: how far the newest (or one) change set has come, and what is published, as it happens. For admins; devices have their own channel. */
import { CLOSE } from '@cordon/policy/protocol/channel.ts';
import { Type } from 'typebox';
import { actorOf } from '../auth/guard.ts';
import { endedTokens } from '../auth/live-tokens.ts';
import type { Feature } from '../context.ts';
import { notFound, Refusal } from '../errors.ts';
import { findNewest, followChangeSet } from '../publishing/progress.ts';
import { Watcher } from './watcher.ts';
import { MOST, Watchers } from './watchers.ts';

const Query = Type.Object({ changeSet: Type.Optional(Type.String({ maxLength: 64 })) }, { additionalProperties: false });

export const registerWatch: Feature = (app, context) => {
  const { prisma, published, stored, log } = context;
  const watchers = new Watchers(
    {
      newest: () => findNewest(prisma),
      follow: (changeSet) => followChangeSet(prisma, changeSet),
      ended: (tokens) => endedTokens(context, tokens),
    },
    log,
  );
  const touch = (): void => watchers.touch();
  const unsubscribe = [published.subscribe(touch), stored.subscribe(touch)];
  app.addHook('preClose', async () => {
    for (const end of unsubscribe) end();
    await watchers.close();
  });

  app.route<{ Querystring: { changeSet?: string } }>({
    method: 'GET',
    url: '/watch',
    config: { permission: 'changes.read' },
    schema: {
      tags: ['publishing'],
      summary: 'WebSocket: JSON messages "progress" of the newest or the named change set, and "published"',
      querystring: Query,
      response: { 101: Type.Null({ description: 'Switching to WebSocket; messages come as text, and none are expected' }) },
    },
    preHandler: async (request) => {
      const { changeSet } = request.query;
      if (changeSet !== undefined && (await followChangeSet(prisma, changeSet)) === undefined) throw notFound('change-set', changeSet);
      if (!watchers.hasRoom(actorOf(request).token))
        throw new Refusal(429, 'watch.too-many', `at most ${MOST.perToken} watch with one token and ${MOST.all} in all; close one of them`);
    },
    handler: () => {
      throw new Refusal(426, 'watch.upgrade', 'this is a WebSocket: connect to it with ws:// or wss://');
    },
    wsHandler: (socket, request) => {
      const { token } = actorOf(request);
      if (!watchers.hasRoom(token)) return socket.close(CLOSE.rate, 'watch.too-many');
      const watcher = new Watcher(socket, token, request.query.changeSet);
      socket.on('message', () => socket.close(CLOSE.malformed, 'watch.read-only'));
      socket.on('pong', () => {
        watcher.answered = true;
      });
      socket.on('close', () => watchers.remove(watcher));
      watchers.add(watcher);
    },
  });
};
