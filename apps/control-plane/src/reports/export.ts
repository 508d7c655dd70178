/** Everything that is kept of a device's reports, so that anyone can verify it without this server: one line each, JSON. */
import type { Context } from '../context.ts';
import { MAX_SEQ } from '../telemetry/chain.ts';
import { archivedBatches } from '../telemetry/telemetry.ts';
import { bootsAfter, headsOf, keysOf } from './store.ts';

const BOOTS = 500;

/**
 * A line `reports` with the device's keys; for each chain its signed heads and then its batches, in the order of their numbers; a line `end` with the counts, without which
 * the export is not whole. Events stand as the device sent them, to the byte.
 */
export async function* exportReports({ pool, prisma, clock, organisation }: Context, device: string): AsyncGenerator<string> {
  const line = (value: object): string => `${JSON.stringify(value)}\n`;
  const keys = (await keysOf(pool, device)).map((x) => ({ kty: 'OKP', crv: 'Ed25519', x }));
  yield line({ type: 'reports', format: 'cordon-reports/1', org: organisation.orgId, device, exportedAt: clock().toISOString(), keys });
  const counts = { batches: 0, heads: 0 };
  for (
    let boots = await bootsAfter(pool, device, '', BOOTS);
    boots.length > 0;
    boots = await bootsAfter(pool, device, boots.at(-1) ?? '', BOOTS)
  )
    for (const boot of boots) {
      for (const { seq, hash, jws, receivedAt } of await headsOf(prisma, device, boot)) {
        counts.heads += 1;
        yield line({ type: 'head', boot, seq, hash, receivedAt: receivedAt.toISOString(), head: jws });
      }
      for await (const { body, receivedAt, ...batch } of archivedBatches(pool, device, boot, 0, MAX_SEQ)) {
        counts.batches += 1;
        const facts = JSON.stringify({ type: 'batch', ...batch, receivedAt: receivedAt.toISOString() });
        yield `${facts.slice(0, -1)},"events":${body ?? 'null'}}\n`;
      }
    }
  yield line({ type: 'end', ...counts });
}
