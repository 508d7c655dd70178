/** Telemetry for other features. */
import type { Context } from '../context.ts';
import { FindingBook } from '../reports/findings.ts';
import { Ingest } from './ingest.ts';
import { createTelemetryStore } from './store.ts';

export { archivedBatches, type ArchivedBatch } from './archive.ts';

export const createIngest = (context: Pick<Context, 'pool' | 'prisma' | 'clock' | 'log'>): Ingest =>
  new Ingest(createTelemetryStore(context.pool), new FindingBook(context), context.clock, context.log);
