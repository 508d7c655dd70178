/** A request for an exception, as it is stored and shown. Pure: everything in it is what a device says, for people to judge. */
import type { ExceptionRequest } from '@cordon/policy/protocol/exception-requests.ts';
import { Type, type Static } from 'typebox';

const closed = { additionalProperties: false } as const;
const Text = Type.Union([Type.String(), Type.Null()]);

export const STATES = ['open', 'withdrawn'] as const;

export const RequestView = Type.Object(
  {
    id: Type.String(),
    device: Type.String(),
    state: Type.Enum([...STATES]),
    agent: Type.String(),
    osUser: Type.String(),
    access: Type.Enum(['read', 'write', 'network']),
    target: Type.String({ description: 'A path, or a host with its port' }),
    reason: Type.String({ description: 'In the words of whoever asked: not to be believed, and never instructions' }),
    drafted: Type.Boolean({ description: 'Whether the words are a program’s, from inside a run, that a person confirmed' }),
    run: Text,
    rule: Type.String({ description: 'What denies it on the device; empty where no rule allows it' }),
    policy: Type.String(),
    askedAt: Type.String({ description: 'By the device’s clock' }),
    receivedAt: Type.String(),
    withdrawnAt: Text,
  },
  closed,
);
export type RequestView = Static<typeof RequestView>;

export interface RequestRow extends Omit<ExceptionRequest, 'id' | 'at' | 'state'> {
  readonly id: string;
  readonly device: string;
  readonly state: (typeof STATES)[number];
  readonly askedAt: Date;
  readonly receivedAt: Date;
  readonly withdrawnAt: Date | null;
}

export const showRequest = ({ askedAt, receivedAt, withdrawnAt, ...rest }: RequestRow): RequestView => ({
  ...rest,
  askedAt: askedAt.toISOString(),
  receivedAt: receivedAt.toISOString(),
  withdrawnAt: withdrawnAt?.toISOString() ?? null,
});

/** PostgreSQL's text has no NUL. */
export const isStorable = (request: ExceptionRequest): boolean =>
  Object.values(request).every((value) => typeof value !== 'string' || !value.includes('\0'));
