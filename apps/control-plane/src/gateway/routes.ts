/** The device channel on the device listener, and everything that lives with it. */
import { CordonError } from '@cordon/policy/errors.ts';
import { CLOSE } from '@cordon/policy/protocol/channel.ts';
import { createEvaluator } from '../compliance/evaluator.ts';
import type { Feature } from '../context.ts';
import { coalesce } from '../publishing/coalesce.ts';
import { resync } from '../publishing/load.ts';
import { createIngest } from '../telemetry/telemetry.ts';
import { ReportBook } from './acks.ts';
import { startHeartbeat } from './heartbeat.ts';
import { SessionHub } from './hub.ts';
import { listen } from './listen.ts';
import { Push } from './push.ts';
import { createReceiver } from './receive.ts';
import { createReportStore, revokedAmong, writeSeen } from './store.ts';
import { takeCosignatures, tellLate } from '../witness/cosigning.ts';
import { createHistoryDesk } from '../witness/desk.ts';
import { createHold } from '../witness/hold.ts';
import { createTrustFrames } from './trust-frames.ts';
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
  // Notifications and greetings that come together read the state once.
  const sync = coalesce<never>(async () => {
    await resync(context);
    await takeCosignatures(context);
  });
  const endRevoked = coalesce<string>(async (devices) => {
    for (const device of await revokedAmong(pool, devices)) hub.disconnect(device, CLOSE.revoked, 'device.revoked');
  });
  const push = new Push(published, hub, (device) => {
    endRevoked([device]).catch((error: unknown) => log.warn({ err: error, device }, 'whether a device was revoked could not be read'));
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
    trust: createTrustFrames(context.organisation),
    history: createHistoryDesk(context),
    clock,
    log,
    resync: () => sync([]),
  });
  const stopHeartbeat = startHeartbeat(hub, push);
  const listening = listen({
    access: database,
    channel: 'cordon_state',
    log,
    onConnected: () => sync([]),
    onNotice: (digest) => {
      // The digest of a new checkpoint, or "witness" and that of one that was cosigned.
      if (digest === published.checkpoint?.digest) return;
      sync([]).catch((error: unknown) => log.error({ err: error }, 'the published state could not be read'));
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

  app.server.on('upgrade', createUpgrade({ context, hub, receiver }));
  app.addHook('preClose', async () => {
    for (const session of hub.sessions()) session.close(CLOSE.restart, 'service.restarts');
    clearInterval(seen);
    stopHeartbeat();
    endPush();
    hold.close();
    await listening.close();
    await reports.close();
    await ingest.close();
    endJudging();
    await evaluator.close();
    await writeSeenDevices().catch((error: unknown) => log.warn({ err: error }, 'presence could not be written'));
    for (const session of hub.sessions()) session.channel.terminate();
  });
};
