/** Takes what people on devices ask for, and answers the device. */
import type { RequestFrame, RequestReply } from '@cordon/policy/protocol/exception-requests.ts';
import type { Context } from '../context.ts';
import { newId } from '../ids.ts';
import { takeRequest } from './store.ts';

export interface RequestDesk {
  /** @param device the session's. Never fails: what could not be stored is said again at the next connection */
  take(session: { readonly device: string; send(frame: RequestReply): void }, frame: RequestFrame): void;
}

export const createRequestDesk = ({ pool, clock, log }: Pick<Context, 'pool' | 'clock' | 'log'>): RequestDesk => ({
  take: (session, { request }) => {
    const { id, state } = request;
    takeRequest(pool, newId('exr'), session.device, request, clock()).then(
      (stored) =>
        session.send({ type: 'exception.reply', id, state: stored ?? state, ...(stored === undefined && { code: 'request.too-many' }) }),
      (error: unknown) => log.warn({ err: error, device: session.device }, 'a request could not be stored; the device says it again'),
    );
  },
});
