/** What a witness asks the control plane. */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { MAX_CHECKPOINT } from '@cordon/policy/protocol/history.ts';
import type { Client } from '../api/client.ts';

const closed = { additionalProperties: false } as const;
const Text = (most: number) => Type.String({ maxLength: most });
const Count = Type.Integer({ minimum: 0 });
const History = Type.Object(
  {
    items: Type.Array(
      Type.Object(
        { epoch: Count, number: Count, serial: Count, digest: Text(64), jws: Text(MAX_CHECKPOINT), witnesses: Type.Array(Text(64)) },
        closed,
      ),
    ),
    roots: Count,
    demanded: Count,
    more: Type.Boolean(),
  },
  closed,
);
export type HistoryPage = Static<typeof History>;
const Page = Compile(History);
const Roots = Compile(Type.Object({ org: Text(64), roots: Type.Array(Text(65_536), { minItems: 1, maxItems: 256 }) }, closed));
const Cosigned = Compile(Type.Object({ cosigned: Count, demanded: Count }, closed));

export interface HistoryServer {
  /** From a place on, that one included; waits for something beyond it. */
  onwards(epoch: number, number: number, waitSeconds: number): Promise<HistoryPage>;
  roots(): Promise<{ readonly org: string; readonly roots: readonly string[] }>;
  cosign(digest: string, cosignature: string): Promise<{ readonly cosigned: number; readonly demanded: number }>;
}

export const historyServer = (client: Client): HistoryServer => ({
  onwards: (epoch, number, wait) => client.get(`/checkpoints?epoch=${epoch}&number=${number}&wait=${wait}`, Page),
  roots: () => client.get('/checkpoints/roots', Roots),
  cosign: (digest, cosignature) => client.post(`/checkpoints/${digest}/cosignatures`, { cosignature }, Cosigned),
});
