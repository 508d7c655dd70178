/** All checkpoints that are kept, in their order, for exports: with the entry of the audit log up to which each speaks. */
import type { CheckpointPayload } from '@cordon/policy/trust/checkpoint.ts';
import type { PrismaClient } from '../db/generated/client.ts';
import { readAfter } from './store.ts';

/** Read at a time. */
const CHUNK = 500;

export async function* historyOf(prisma: PrismaClient): AsyncGenerator<{ readonly seq: number; readonly jws: string }> {
  for (let after = 0; ;) {
    const rows = await readAfter(prisma, after, CHUNK);
    for (const { jws } of rows) {
      const { audit } = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8')) as CheckpointPayload;
      yield { seq: audit.seq, jws };
    }
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.id;
  }
}
