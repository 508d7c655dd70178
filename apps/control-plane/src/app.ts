/** The two listeners and what each of them serves: one visible list of features each. */
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import websocket from '@fastify/websocket';
import Fastify, { LogController, type FastifyRequest } from 'fastify';
import { registerAssignments } from './assignments/routes.ts';
import { registerAudit } from './audit/routes.ts';
import { parseBearer } from './auth/api-token.ts';
import { registerGuard } from './auth/guard.ts';
import { registerApiTokens } from './auth/routes.ts';
import { registerSessions } from './auth/session-routes.ts';
import { registerCompliance } from './compliance/routes.ts';
import type { App, Context, Feature } from './context.ts';
import { registerDeviceLifecycle } from './devices/lifecycle-routes.ts';
import { registerRekey } from './devices/rekey-routes.ts';
import { registerDevices } from './devices/routes.ts';
import { registerQuarantine } from './devices/quarantine-routes.ts';
import { registerEnrollmentTokens } from './enrollment/routes.ts';
import { registerEnroll } from './enrollment/device-routes.ts';
import { Refusal, registerErrors } from './errors.ts';
import { registerExceptionRequests } from './exception-requests/routes.ts';
import { registerExceptions } from './exceptions/routes.ts';
import { registerGateway } from './gateway/routes.ts';
import { registerGroupMembers } from './groups/member-routes.ts';
import { registerGroups } from './groups/routes.ts';
import { registerGroupRules } from './groups/rule-routes.ts';
import { registerHealth } from './health.ts';
import { createServer } from './http-server.ts';
import { describeApi } from './openapi.ts';
import { registerInventory } from './inventory/routes.ts';
import { registerPolicies } from './policies/routes.ts';
import { registerProposals } from './proposals/routes.ts';
import { registerOrders } from './orders/routes.ts';
import { registerPublishing } from './publishing/routes.ts';
import { registerReports } from './reports/routes.ts';
import { enforceRouteRules, type KnownRoute } from './route-rules.ts';
import { registerRunIdentity } from './run-identity/routes.ts';
import { registerWellKnown } from './run-identity/well-known.ts';
import { registerTampering } from './tampering/routes.ts';
import { registerTelemetry } from './telemetry/routes.ts';
import { registerWatch } from './watch/routes.ts';
import { registerHistory } from './witness/routes.ts';

/** Below /api/v1 on the admin listener. */
const ADMIN_FEATURES: readonly Feature[] = [
  registerApiTokens,
  registerEnrollmentTokens,
  registerDevices,
  registerDeviceLifecycle,
  registerQuarantine,
  registerGroups,
  registerGroupMembers,
  registerGroupRules,
  registerPolicies,
  registerAssignments,
  registerExceptions,
  registerProposals,
  registerPublishing,
  registerOrders,
  registerTampering,
  registerTelemetry,
  registerReports,
  registerExceptionRequests,
  registerInventory,
  registerCompliance,
  registerAudit,
  registerHistory,
  registerRunIdentity,
  registerWatch,
];

/** Below /agent/v1 on the device listener. */
const DEVICE_FEATURES: readonly Feature[] = [registerEnroll, registerSessions, registerRekey, registerGateway];

export interface Listener {
  readonly app: App;
  /** Every route with its permission, as registered. */
  readonly routes: readonly KnownRoute[];
}

const createApp = ({ config, log }: Context, bodyLimit: number): App => {
  const { tls, trustProxy } = config;
  return Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit,
    routerOptions: { maxParamLength: 200 },
    exposeHeadRoutes: false,
    // Connections that idle are ended at once when the service stops.
    forceCloseConnections: true,
    trustProxy: trustProxy.length > 0 ? [...trustProxy] : false,
    // The validator's defaults drop unknown members silently and turn "1" into 1; both are errors here.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, allErrors: false } },
    serverFactory: (handler) => createServer(tls, handler),
  });
};

const tooMany = (_request: FastifyRequest, { after }: { after: string }): Refusal =>
  new Refusal(429, 'request.too-many', `too many requests; try again in ${after}`, { retryable: true });

/** A device proves nothing before its key or id is in the body; whoever has neither is counted by address. */
const deviceKey = (request: FastifyRequest): string => {
  const body: unknown = request.body;
  if (typeof body !== 'object' || body === null) return request.ip;
  if ('device' in body && typeof body.device === 'string') return body.device.slice(0, 64);
  if ('jwk' in body && typeof body.jwk === 'object' && body.jwk !== null && 'x' in body.jwk && typeof body.jwk.x === 'string')
    return body.jwk.x.slice(0, 64);
  return request.ip;
};

const assemble = async (
  context: Context,
  options: {
    readonly bodyLimit: number;
    readonly prefix: string;
    readonly limit: Parameters<typeof rateLimit>[1];
    readonly features: readonly Feature[];
    readonly before?: Feature;
  },
): Promise<Listener> => {
  const app = createApp(context, options.bodyLimit);
  app.removeContentTypeParser('text/plain');
  const routes = enforceRouteRules(app);
  registerErrors(app);
  await app.register(helmet, { contentSecurityPolicy: { directives: { defaultSrc: ["'none'"] } } });
  await app.register(rateLimit, { global: true, errorResponseBuilder: tooMany, ...options.limit });
  await options.before?.(app, context);
  await registerHealth(app, context);
  await app.register(
    async (scope: App) => {
      for (const feature of options.features) await feature(scope, context);
    },
    { prefix: options.prefix },
  );
  await app.ready();
  return { app, routes };
};

/** @throws CordonError route.* when a route breaks a rule: the service does not start then */
export const buildAdmin = (context: Context): Promise<Listener> =>
  assemble(context, {
    bodyLimit: 1_048_576,
    prefix: '/api/v1',
    limit: {
      max: 6000,
      timeWindow: 60_000,
      cache: 20_000,
      // By the secret, not the id: ids stand in the audit log, and nobody who reads it may use up another's share.
      keyGenerator: (request) => parseBearer(request.headers.authorization)?.secretHash ?? request.ip,
    },
    before: async (app) => {
      app.decorateRequest('actor', null);
      // On the whole listener and before the gate: it ends the socket of every upgrade that is refused, of whatever route.
      await app.register(websocket, {
        options: { maxPayload: 1024, perMessageDeflate: false },
        errorHandler: (error, socket) => {
          context.log.info({ err: error }, 'a live view broke');
          socket.terminate();
        },
        // The feature ends its sockets itself, with a code that says why.
        preClose: (done) => done(),
      });
      registerGuard(app, context);
      await describeApi(app, {
        prefix: '/api/v1',
        title: 'Cordon',
        description: 'Containment policies for AI agents: write once, assign to groups, see the fleet comply.',
        token: 'API token: cordon_pat_…',
      });
    },
    features: ADMIN_FEATURES,
  });

export const buildDevice = (context: Context): Promise<Listener> =>
  assemble(context, {
    bodyLimit: 65_536,
    prefix: '/agent/v1',
    limit: { max: 120, timeWindow: 60_000, cache: 200_000, hook: 'preHandler', keyGenerator: deviceKey },
    before: async (app) => {
      await describeApi(app, {
        prefix: '/agent/v1',
        title: 'Cordon for devices',
        description:
          'Enrollment and sessions. Devices prove themselves by signatures inside the messages. A session’s ticket opens the WebSocket channel at /agent/v1/channel (subprotocol cordon.v1).',
      });
      await registerWellKnown(app, context);
    },
    features: DEVICE_FEATURES,
  });
