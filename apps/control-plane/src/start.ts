/** Starts a whole control plane, in the order in which one part needs the other, and stops it in the reverse. */
import { CordonError } from '@cordon/policy/errors.ts';
import Fastify from 'fastify';
import fs from 'node:fs';
import path from 'node:path';
import { bootstrapOwner } from './auth/routes.ts';
import { createSealer, sharedKey } from './auth/sealed.ts';
import { createTickets } from './auth/tickets.ts';
import { buildAdmin, buildDevice, type Listener } from './app.ts';
import type { Config } from './config.ts';
import type { Context } from './context.ts';
import { checkDatabase } from './db/check.ts';
import { createClients, parseDatabaseUrl, type DatabaseAccess } from './db/client.ts';
import { startEmbedded } from './db/embedded.ts';
import { applyMigrations } from './db/migrate.ts';
import { prepareRoles } from './db/roles.ts';
import { writeDurably } from './durable.ts';
import { createHub } from './gateway/hub.ts';
import { readTls } from './http-server.ts';
import { startJobs } from './jobs/jobs.ts';
import { loggedError } from './logged-error.ts';
import { checkSigner, ensureOrganisation, giveRoots } from './organisation/setup.ts';
import { Published } from './publishing/published.ts';
import { renewCheckpoint } from './publishing/publish.ts';
import { loadSecrets, prepareStateFolder } from './secrets.ts';
import { createSignal } from './signal.ts';
import { startSigner } from './signer/client.ts';
import { lockState } from './state-lock.ts';

export interface ControlPlane {
  readonly adminUrl: string;
  readonly deviceUrl: string;
  /** The owner's token, when this start made one. */
  readonly bootstrapToken: string | undefined;
  /** For tests and benchmarks in the same process. */
  readonly context: Context;
  readonly listeners: { readonly admin: Listener; readonly device: Listener };
  close(): Promise<void>;
}

export interface StartOptions {
  readonly clock?: () => Date;
  /** The database's owner, already running; otherwise DATABASE_URL or the embedded one. */
  readonly owner?: DatabaseAccess;
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

/** Tokens and telemetry do not travel in clear text beyond this machine. @throws CordonError config.plaintext */
const refusePlaintext = ({ host, tls, trustProxy }: Config): void => {
  if (LOOPBACK.has(host) || tls !== undefined || trustProxy.length > 0) return;
  throw new CordonError(
    'config.plaintext',
    `without TLS only loopback is served, not ${host}: set CORDON_TLS_CERT and CORDON_TLS_KEY, or CORDON_TRUST_PROXY to the address of the proxy that ends TLS`,
    { place: 'CORDON_HOST' },
  );
};

/** What the system says about an address, in words of what to do. */
const listenFault = (error: unknown, host: string, port: number, variable: string): unknown => {
  const known: Readonly<Record<string, readonly [code: string, message: string, place: string]>> = {
    EADDRINUSE: [
      'listen.port-taken',
      `port ${port} on ${host} is taken: end the program that has it, or set ${variable} to another`,
      variable,
    ],
    EACCES: ['listen.denied', `port ${port} needs more rights than this account has: set ${variable} to one above 1023`, variable],
    EADDRNOTAVAIL: ['listen.address', `${host} is not an address of this machine: change CORDON_HOST`, 'CORDON_HOST'],
    ENOTFOUND: ['listen.address', `${host} is not a name of this machine: change CORDON_HOST`, 'CORDON_HOST'],
  };
  const [code, message, place] = known[(error as NodeJS.ErrnoException).code ?? ''] ?? [];
  return code === undefined || message === undefined || place === undefined
    ? error
    : new CordonError(code, message, { place, cause: error });
};

const listen = async ({ app }: Listener, { host, tls }: Config, port: number, variable: string): Promise<string> => {
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw listenFault(error, host, port, variable);
  }
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new CordonError('listen.failed', 'the listener has no port');
  return `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
};

/** @throws CordonError config.*, state.*, db.*, organisation.*, signer.*, listen.*: each says what to do; whatever was started is stopped again */
export const createControlPlane = async (
  config: Config,
  { clock = () => new Date(), owner: given }: StartOptions = {},
): Promise<ControlPlane> => {
  const { log } = Fastify({
    logger: config.logLevel === 'silent' ? false : { level: config.logLevel, base: null, serializers: { err: loggedError } },
  });
  const stops: (() => Promise<unknown>)[] = [];
  /** Every part is stopped, whatever an earlier one says: a database left running or a lock left behind keeps the next start from working. */
  const close = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (const stop of stops.splice(0).reverse()) await stop().catch((error: unknown) => failures.push(error));
    if (failures.length > 0)
      throw failures.length === 1 ? failures[0] : new AggregateError(failures, 'several parts did not stop in order');
  };
  try {
    refusePlaintext(config);
    if (config.tls !== undefined) readTls(config.tls);
    prepareStateFolder(config.stateDir);
    const lock = lockState(config.stateDir);
    stops.push(async () => lock.release());

    let owner = given ?? (config.databaseUrl === undefined ? undefined : parseDatabaseUrl(config.databaseUrl));
    if (owner === undefined) {
      const embedded = await startEmbedded({
        stateDir: config.stateDir,
        port: config.databasePort,
        secret: loadSecrets(config.stateDir).database,
        say: (message) => log.info(message),
      });
      stops.push(embedded.close);
      owner = embedded.owner;
    }
    await checkDatabase(owner);
    const applied = await applyMigrations(owner);
    if (applied.length > 0) log.info({ applied }, 'brought the database to the shape of this version');
    const database = await prepareRoles(owner);
    const { prisma, pool, close: disconnect } = createClients(database, (error) => log.warn({ err: error }, 'a database connection broke'));
    stops.push(disconnect);

    const signerFolder = path.join(config.stateDir, 'signer');
    const organisation = await ensureOrganisation({ prisma, clock, log }, signerFolder, config.organisation);
    const signer = await startSigner(signerFolder, (error) => log.error({ err: error }, 'the signer could not be started again'));
    stops.push(() => signer.close());
    await giveRoots(organisation, signer);
    const published = new Published(organisation.orgId, organisation.witnesses);
    const sealer = createSealer(await sharedKey(prisma, database.password), clock);
    const context: Context = {
      config,
      prisma,
      pool,
      database,
      signer,
      clock,
      log,
      organisation,
      published,
      stored: createSignal(),
      hub: createHub(),
      sealer,
      tickets: createTickets(sealer),
    };
    // Always: what the signer signs now shows whether it is the right one.
    const isSigned = await renewCheckpoint(context, 0).then(
      () => true,
      (error: unknown) => {
        // A signer that does not know this state, or knows another: people can settle it only when the service runs.
        if (!(error instanceof CordonError) || error.code !== 'signer.unapproved') throw error;
        log.error(
          { err: error },
          'what the database has in force was never approved for this signer: propose it, have it approved and publish it',
        );
        return false;
      },
    );
    if (isSigned && published.checkpoint !== undefined) await checkSigner(organisation, published.checkpoint.jws, clock());

    const tokenFile = path.join(config.stateDir, 'admin-token');
    const bootstrapToken = await bootstrapOwner(context, (token) => writeDurably(tokenFile, `${token}\n`));
    if (bootstrapToken !== undefined) log.info({ file: tokenFile }, 'made an owner token for the first administrator');

    const admin = await buildAdmin(context);
    stops.push(() => admin.app.close());
    const device = await buildDevice(context);
    stops.push(() => device.app.close());
    const jobs = await startJobs(context);
    stops.push(() => jobs.close());
    const adminUrl = await listen(admin, config, config.adminPort, 'CORDON_ADMIN_PORT');
    const deviceUrl = await listen(device, config, config.devicePort, 'CORDON_DEVICE_PORT');
    log.info({ adminUrl, deviceUrl, tokenFile: fs.existsSync(tokenFile) ? tokenFile : undefined }, 'ready');
    return { adminUrl, deviceUrl, bootstrapToken, context, listeners: { admin, device }, close };
  } catch (error) {
    await close().catch((failure: unknown) => log.error({ err: failure }, 'stopping what was started failed'));
    throw error;
  }
};
