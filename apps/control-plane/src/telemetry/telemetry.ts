/** Telemetry for other features. */
import type { Context } from '../context.ts';
import { Ingest } from './ingest.ts';
import { createTelemetryStore } from './store.ts';

export const createIngest = ({ pool, clock, log }: Pick<Context, 'pool' | 'clock' | 'log'>): Ingest =>
  new Ingest(createTelemetryStore(pool), clock, log);
