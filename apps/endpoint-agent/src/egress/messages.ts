/** What the daemon and the egress process say to each other, over the process channel. */
import type { HttpRequest } from '@cordon/policy/decide/egress.ts';
import type { EgressRules } from '@cordon/policy/egress-rules.ts';
import type { Attachment } from './originate.ts';
import type { Target } from './target.ts';
import type { Upstream } from './upstream.ts';

/** On the command line, once; nothing in it is secret but what the company's proxy asks for, which comes by the channel. */
export interface Start {
  readonly dropTo: { readonly uid: number; readonly gid: number } | null;
  /** Host → address, before DNS. */
  readonly hosts: Readonly<Record<string, string>>;
  /** Where Cordon itself answers. */
  readonly reserved: readonly Target[];
}

export type ToEgress =
  | {
      readonly type: 'settings';
      readonly upstream: Upstream | null;
      readonly ca: readonly string[];
      /** Whether the daemon answers `attach`. */
      readonly attaches: boolean;
    }
  | { readonly type: 'attached'; readonly id: number; readonly attachment?: Attachment; readonly error?: string }
  | ({ readonly type: 'open'; readonly id: number; readonly socket: string } & Opening)
  | ({ readonly type: 'assign'; readonly id: number; readonly name: string } & Opening)
  | { readonly type: 'update'; readonly run: string; readonly rules: EgressRules }
  | { readonly type: 'close'; readonly id: number; readonly run: string };

export interface Opening {
  readonly run: string;
  readonly rules: EgressRules;
  /** The run that it is a part of, and that pays for what it moves. */
  readonly parent: string | null;
}

/** One decision about one request of one run. */
export interface Decision {
  readonly run: string;
  readonly verdict: 'allowed' | 'denied';
  readonly host: string;
  readonly port: number;
  readonly rule: string;
  readonly policy: string;
  readonly code?: string;
  /** Of a request in plain HTTP. */
  readonly http?: HttpRequest;
  /** Where the name led to, of what is allowed. */
  readonly addresses?: readonly string[];
}

export type FromEgress =
  | { readonly type: 'ready' }
  | { readonly type: 'done'; readonly id: number; readonly error?: string }
  | { readonly type: 'attach'; readonly id: number; readonly run: string; readonly host: string }
  /** So many decisions of a run were made and not told, since there were too many. */
  | { readonly type: 'untold'; readonly run: string; readonly decisions: number }
  | { readonly type: 'decision'; readonly decision: Decision };
