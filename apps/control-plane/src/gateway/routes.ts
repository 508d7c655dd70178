/** The device channel on the device listener, and everything that lives with it. */
import { CordonError } from '@cordon/policy/errors.ts';
import { CLOSE } from '@cordon/policy/protocol/channel.ts';
import { createEvaluator } from '../compliance/evaluator.ts';
import type { Feature } from '../context.ts';
import { coalesce } from '../publishing/coalesce.ts';
import { resync } from '../publishing/load.ts';
import { createHeadBook } from '../reports/reports.ts';
import { createOrderDesk, ORDERS_CHANNEL } from '../orders/desk.ts';
import { createRequestDesk } from '../exception-requests/desk.ts';
import { createInventoryBook } from '../inventory/book.ts';
import { createTamperingBook } from '../tampering/integrity.ts';
import { createIngest } from '../telemetry/telemetry.ts';
import { ReportBook } from './acks.ts';
import { createArrivals } from './arrivals.ts';
import { refreshMembers } from '../groups/dynamic.ts';
import { createFactsBook } from './device-facts.ts';
import { startHeartbeat } from './heartbeat.ts';
import { SessionHub } from './hub.ts';
import { listen } from './listen.ts';
import { Push } from './push.ts';
import { readNotice, SESSIONS_CHANNEL } from './notices.ts';
import { createReceiver } from './receive.ts';
import { applyFacts, hearNotice } from './session-watch.ts';
import { createReportStore, sessionFacts, writeSeen } from './store.ts';
import { takeCosignatures, tellLate } from '../witness/cosigning.ts';
import { createHistoryDesk } from '../witness/desk.ts';
import { createHold } from '../witness/hold.ts';
import { createTokenDesk } from '../run-identity/desk.ts';
import { issuerOf } from '../run-identity/issuer.ts';
import { createTrustFrames } from './trust-frames.ts';
import { createTunnels } from './tunnels.ts';
import { registerTunnel } from './tunnel-routes.ts';
import { createUpgrade } from './upgrade.ts';

/** Who came or went is written down this often; who stays connected, every tenth time. */
const SEEN_MS = 60_000;

export const registerGateway: Feature = (app, context) => {
  const { hub, published, stored, pool, clock, log, database } = context;
  if (!(hub instanceof SessionHub)) throw new CordonError('gateway.hub', 'the context was made with another hub than the gateway serves');
  const evaluator = createEvaluator(context);
  const reports = new ReportBook(createReportStore(pool), log, (devices) => stored.emit(devices));
  const endJudging = stored.subscribe(evaluator.touch);
  const ingest = createIngest(context);
  const heads = createHeadBook(context);
  // Notifications and greetings that come together read the state once.
  const sync = coalesce<never>(async () => {
    await resync(context);
    await takeCosignatures(context);
  });
  const checkSessions = coalesce<string>(async (devices) => applyFacts(hub, await sessionFacts(pool, devices)));
  const push = new Push(published, hub, (device) => {
    checkSessions([device]).catch((error: unknown) => log.warn({ err: error, device }, 'how a device stands could not be read'));
  });
  const arrivals = createArrivals(context);
  const orders = createOrderDesk(context, (device, frame) => {
    const session = hub.of(device);
    if (session?.greeted === true) session.send(frame);
  });
  const hold = createHold({
    published,
    push: (advance) => {
      push.advance(advance);
      push.catchUp().catch((error: unknown) => log.error({ err: error }, 'devices that waited could not be made current'));
    },
    onLate: () => void tellLate(context).catch((error: unknown) => log.error({ err: error }, 'that witnesses are late could not be kept')),
  });
  const endPush = published.subscribe((advance) => hold.advance(advance));
  const receiver = createReceiver({
    published,
    push,
    reports,
    ingest,
    facts: createFactsBook(pool, log, (devices) => {
      stored.emit(devices);
      refreshMembers(context, { devices }).catch((error: unknown) =>
        log.error({ err: error }, 'groups with a rule could not follow changed facts'),
      );
    }),
    heads,
    trust: createTrustFrames(context.organisation),
    history: createHistoryDesk(context),
    tampering: createTamperingBook(context),
    inventory: createInventoryBook(pool, clock, log),
    requests: createRequestDesk(context),
    orders,
    tokens: createTokenDesk(context, issuerOf(context, app)),
    clock,
    log,
    resync: () => sync([]),
  });
  const stopHeartbeat = startHeartbeat(hub, push);
  const listening = listen({
    access: database,
    channels: {
      cordon_state: (digest) => {
        // The digest of a new checkpoint, or "witness" and that of one that was cosigned.
        if (digest === published.checkpoint?.digest) return;
        sync([]).catch((error: unknown) => log.error({ err: error }, 'the published state could not be read'));
      },
      [SESSIONS_CHANNEL]: (text) => {
        const notice = readNotice(text);
        if (notice === undefined) return;
        arrivals.hear(notice);
        hearNotice(hub, notice);
      },
      [ORDERS_CHANNEL]: (device) => {
        if (hub.of(device) === undefined) return;
        orders
          .deliver(device)
          .catch((error: unknown) => log.error({ err: error, device }, 'orders could not be read; they wait for the next hello'));
      },
    },
    log,
    onConnected: async () => {
      await sync([]);
      await checkSessions([...hub.sessions()].map(({ device }) => device));
    },
  });

  let round = 0;
  const writeSeenDevices = async (): Promise<void> => {
    round += 1;
    const touched = hub.takeTouched();
    const devices = round % 10 === 0 ? [...new Set([...touched, ...[...hub.sessions()].map(({ device }) => device)])] : touched;
    if (devices.length > 0) await writeSeen(pool, devices, clock());
  };
  const seen = setInterval(
    () => void writeSeenDevices().catch((error: unknown) => log.warn({ err: error }, 'presence could not be written')),
    SEEN_MS,
  );
  seen.unref();

  const upgrade = createUpgrade({ context, hub, arrivals, receiver });
  app.server.on('upgrade', upgrade);
  const tunnels = createTunnels(upgrade);
  registerTunnel(app, context, tunnels);
  app.addHook('preClose', async () => {
    for (const session of hub.sessions()) session.close(CLOSE.restart, 'service.restarts');
    clearInterval(seen);
    stopHeartbeat();
    endPush();
    hold.close();
    await listening.close();
    await reports.close();
    await ingest.close();
    await heads.close();
    endJudging();
    await evaluator.close();
    await writeSeenDevices().catch((error: unknown) => log.warn({ err: error }, 'presence could not be written'));
    for (const session of hub.sessions()) session.channel.terminate();
    tunnels.close();
  });
};
