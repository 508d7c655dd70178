/** What the daemon and the egress process say to each other, over the process channel. */
import type { EgressRules } from '@cordon/policy/effective.ts';

export type ToEgress =
  | { readonly type: 'open'; readonly id: number; readonly run: string; readonly socket: string; readonly rules: EgressRules }
  | { readonly type: 'assign'; readonly id: number; readonly name: string; readonly run: string; readonly rules: EgressRules }
  | { readonly type: 'update'; readonly run: string; readonly rules: EgressRules }
  | { readonly type: 'close'; readonly id: number; readonly run: string };

/** One decision about one request of one run. */
export interface Decision {
  readonly run: string;
  readonly verdict: 'allowed' | 'denied';
  readonly host: string;
  readonly port: number;
  readonly rule: string;
  readonly policy: string;
  readonly code?: string;
}

export type FromEgress =
  | { readonly type: 'ready' }
  | { readonly type: 'done'; readonly id: number; readonly error?: string }
  | { readonly type: 'decision'; readonly decision: Decision };
