/** The daemon's side of the egress process: opens a way out for each run, and opens it again when the process was started again. */
import fs from 'node:fs';
import path from 'node:path';
import { NO_EGRESS, type EgressRules } from '@cordon/policy/egress-rules.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Owner } from '../launch/descriptors.ts';
import { startChild, type EgressChild } from './child.ts';
import type { Decision, ToEgress } from './messages.ts';
import type { Attachment } from './originate.ts';
import type { Target } from './target.ts';
import type { Upstream } from './upstream.ts';

export interface EgressOptions {
  /** Short: sockets lie below it, and their path has at most 107 bytes. */
  readonly runtimeDir: string;
  /** Account that the process drops to; needed when the daemon is root. */
  readonly dropTo?: Owner;
  /** Host → address, before DNS. */
  readonly hosts?: Readonly<Record<string, string>>;
  /** Where Cordon itself answers: no rule leads there. Hosts canonical. */
  readonly reserved?: readonly Target[];
  readonly upstream?: Upstream | undefined;
  /** Authorities that count where the proxy opens TLS itself, as PEM. */
  readonly ca?: readonly string[];
  /**
   * What is attached to a request of a run on TLS that the proxy opens itself to a host that may receive its identity. Rejects: the request is not sent. Without it no
   * TLS is opened.
   */
  readonly attach?: (run: string, host: string) => Promise<Attachment | undefined>;
  readonly onDecision: (decision: Decision) => void;
  /** So many more decisions of a run were made than could be told one by one. */
  readonly onUntold?: (run: string, decisions: number) => void;
  /** The process died: what was open is cut. It is started again, and runs that live get their way out back. */
  readonly onDeath?: () => void;
}

export interface Egress {
  /** @returns the run's socket, listening, and open to its owner alone */
  open(run: string, rules: EgressRules, owner: Owner): Promise<{ socket: string }>;
  /** What was opened under another name is this run's from now on. @param parent the run that it is a part of */
  assign(name: string, run: string, rules: EgressRules, parent?: string): Promise<void>;
  /** Under new rules what they do not allow any more is cut, at once. */
  update(run: string, rules: EgressRules): void;
  close(run: string): Promise<void>;
  pid(): number | undefined;
  /** Whose rights the process has. */
  readonly account: Owner;
  stop(): void;
}

export const DENY_ALL: EgressRules = NO_EGRESS;

/** What is open, as a new process must be told it. */
interface Kept {
  readonly folder: string;
  readonly socket: string;
  readonly owner: Owner;
  rules: EgressRules;
  parent: string | null;
}

/** @throws CordonError `egress.start`, `egress.path` when a socket's path would be too long */
export const startEgress = async (options: EgressOptions): Promise<Egress> => {
  const { dropTo } = options;
  const folder = path.join(options.runtimeDir, 'egress');
  const kept = new Map<string, Kept>();
  const settings: ToEgress = {
    type: 'settings',
    upstream: options.upstream ?? null,
    ca: options.ca ?? [],
    attaches: options.attach !== undefined,
  };
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true, mode: 0o711 });
  fs.chmodSync(folder, 0o711);
  const openIn = async (process: EgressChild, run: string, { socket, owner, rules, parent }: Kept): Promise<void> => {
    await process.ask((id) => ({ type: 'open', id, run, socket, rules, parent }));
    if (dropTo !== undefined) fs.chownSync(socket, owner.uid, owner.gid);
  };
  const child = await startChild({
    start: { dropTo: dropTo ?? null, hosts: options.hosts ?? {}, reserved: options.reserved ?? [] },
    onDecision: options.onDecision,
    onUntold: (run, decisions) => options.onUntold?.(run, decisions),
    attach: options.attach,
    onDeath: () => options.onDeath?.(),
    onBirth: (born) => {
      born.tell(settings);
      // One that cannot be opened again stays closed: its run has no way out, and no other.
      for (const [run, way] of kept) void openIn(born, run, way).catch(() => undefined);
    },
  });
  child.tell(settings);
  return {
    open: async (run, rules, owner) => {
      const own = path.join(folder, run);
      const socket = path.join(own, 'proxy.sock');
      if (Buffer.byteLength(socket) > 107)
        throw new CordonError('egress.path', `${socket} is too long for a socket: choose a shorter CORDON_AGENT_RUNTIME`, {
          place: socket,
        });
      fs.mkdirSync(own, { mode: 0o711 });
      if (dropTo !== undefined) fs.chownSync(own, dropTo.uid, dropTo.gid);
      const way: Kept = { folder: own, socket, owner, rules, parent: null };
      try {
        await openIn(child, run, way);
        kept.set(run, way);
        return { socket };
      } catch (error) {
        fs.rmSync(own, { recursive: true, force: true });
        throw error;
      }
    },
    assign: async (name, run, rules, parent) => {
      const way = kept.get(name);
      if (way !== undefined) {
        kept.delete(name);
        kept.set(run, { ...way, rules, parent: parent ?? null });
      }
      await child.ask((id) => ({ type: 'assign', id, name, run, rules, parent: parent ?? null }));
    },
    update: (run, rules) => {
      const way = kept.get(run);
      if (way === undefined) return;
      way.rules = rules;
      child.tell({ type: 'update', run, rules });
    },
    close: async (run) => {
      const way = kept.get(run);
      kept.delete(run);
      // A process that died has closed everything already.
      await child
        .ask((id) => ({ type: 'close', id, run }))
        .catch((error: unknown) => {
          if (!(error instanceof CordonError)) throw error;
        });
      if (way !== undefined) await fs.promises.rm(way.folder, { recursive: true, force: true });
    },
    pid: child.pid,
    account: dropTo ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    stop: child.stop,
  };
};
