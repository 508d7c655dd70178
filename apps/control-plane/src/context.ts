/** What every feature of the control plane is given. Nothing here is global: one process can hold several. */
import type { FastifyInstance, RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerDefault } from 'fastify';
import type { FastifyBaseLogger } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type pg from 'pg';
import type { Config } from './config.ts';
import type { DatabaseAccess } from './db/client.ts';
import type { Prisma, PrismaClient } from './db/generated/client.ts';
import type { DevicePermission, Permission, Role } from './auth/permissions.ts';
import type { Sealer } from './auth/sealed.ts';
import type { Tickets } from './auth/tickets.ts';
import type { Published } from './publishing/published.ts';
import type { Signal } from './signal.ts';
import type { SignerClient } from './signer/contract.ts';

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** A transaction of the application role. Every mutation and its audit entry share one. */
export type Tx = Prisma.TransactionClient;

/** The connected devices, as the rest of the service sees them. */
export interface Hub {
  /** Ends the session of a device at once; its policy stays in force on it. */
  disconnect(deviceId: string, code: number, reason: string): void;
  /** How many devices are connected to this replica now. */
  readonly connected: number;
}

export interface Context {
  readonly config: Config;
  readonly prisma: PrismaClient;
  /** For COPY and other hot paths, as the application role. */
  readonly pool: pg.Pool;
  /** Where the application role connects: for LISTEN connections and the job queues' own pool. */
  readonly database: DatabaseAccess;
  readonly signer: SignerClient;
  readonly clock: () => Date;
  readonly log: FastifyBaseLogger;
  readonly hub: Hub;
  /** What is in force, in memory (publishing/published.ts): `new Published(organisation.orgId)`, filled by the first renewal at start. */
  readonly published: Published;
  /** Devices whose reports were just stored. */
  readonly stored: Signal<readonly string[]>;
  /** Challenges that any replica can open. */
  readonly sealer: Sealer;
  /** Tickets that a signed session challenge gives, and the channel of any replica takes. */
  readonly tickets: Tickets;
  /** The organisation's id, root chain and floor: the exact bytes that devices verify. Constant while the process lives. */
  readonly organisation: {
    readonly orgId: string;
    readonly roots: readonly string[];
    readonly floor: string;
    readonly fingerprint: string;
    /** Of the newest root: approvals of another epoch count no more. */
    readonly epoch: number;
    /** Key ids that the newest root lets sign bundles. */
    readonly policyKeys: ReadonlySet<string>;
    /** How many witnesses the newest root demands; 0 is none. */
    readonly witnesses: number;
  };
}

/** Who asks on the admin listener. */
export interface Actor {
  /** `token:<id>`, as written into the audit log. */
  readonly name: string;
  /** The API token's id. */
  readonly token: string;
  readonly role: Role;
}

/** A feature adds its routes to one listener. */
export type Feature = (app: App, context: Context) => void | Promise<void>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the caller must be allowed to do. A route without it keeps the service from starting. */
    permission?: Permission | DevicePermission;
  }
  interface FastifyRequest {
    actor: Actor | null;
  }
}
