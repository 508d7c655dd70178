/** An independent follower: goes from checkpoint to checkpoint, demands that they are one history, and says so under its own key. */
import { CordonError } from '@cordon/policy/errors.ts';
import { openLink, readKeptLink, type Link } from '@cordon/policy/trust/history.ts';
import type { KeyPair } from '@cordon/policy/trust/keys.ts';
import { rootFingerprint, verifyRootChain, type TrustedRoot } from '@cordon/policy/trust/root.ts';
import { cosign } from '@cordon/policy/trust/witness.ts';
import { demandNext, TwoHistories } from './history.ts';
import type { HistoryPage, HistoryServer } from './server.ts';
import type { StateFolder, WitnessState } from './state.ts';

export interface WitnessParts {
  readonly server: HistoryServer;
  readonly state: StateFolder;
  readonly key: KeyPair;
  /** What the organisation's root must have; undefined believes the first one that is shown. */
  readonly fingerprint: string | undefined;
  readonly now: () => Date;
  readonly say: (message: string) => void;
}

export interface Witness {
  /** Asks once, for what is beyond the newest, and from the second time on waits for it so long. @returns whether there is more already */
  step(waitSeconds: number): Promise<boolean>;
  readonly newest: () => Link | undefined;
}

/** @throws CordonError `witness.other-organisation`, `root.*` */
export const startWitness = async ({ server, state, key, fingerprint, now, say }: WitnessParts): Promise<Witness> => {
  const known = state.read();
  const readRoots = async (): Promise<{
    readonly org: string;
    readonly trusted: TrustedRoot;
    readonly count: number;
    readonly fingerprint: string;
  }> => {
    const { org, roots } = await server.roots();
    const expected = known?.fingerprint ?? fingerprint ?? rootFingerprint(roots[0] ?? '');
    if (fingerprint !== undefined && fingerprint !== expected)
      throw new CordonError(
        'witness.other-organisation',
        `this state follows the organisation with the root ${expected}, not ${fingerprint}`,
      );
    return { org, trusted: await verifyRootChain(roots, expected, now()), count: roots.length, fingerprint: expected };
  };
  let root = await readRoots();
  let newest = known?.newest === undefined || known.newest === null ? undefined : readKeptLink(known.newest);
  if (known === undefined) say(`follows ${root.org} from now on; its root has the fingerprint ${root.fingerprint}`);
  const keep = (): void => {
    const kept: WitnessState = {
      format: 'cordon-witness-state/1',
      org: root.org,
      fingerprint: root.fingerprint,
      newest: newest?.jws ?? null,
    };
    state.write(kept);
  };
  let said: string | undefined;
  /** What it is asked first is answered at once: it may be another history than the one that was followed. */
  let patience = 0;
  const sayOnce = (message: string): void => {
    if (message !== said) say(message);
    said = message;
  };

  /** The newest that this witness has seen must be there, as it was: unless it is too old to be kept, and nobody can tell. */
  const demandMine = (mine: Link, [first]: HistoryPage['items'], opened: Link | undefined): void => {
    const { epoch, number } = mine.payload;
    if (first === undefined || opened === undefined)
      throw new CordonError('witness.rollback', `the server's history ends before ${epoch}/${number}, which this witness has seen`);
    if (first.epoch === epoch && first.number === number) {
      if (opened.digest === mine.digest) return;
      throw new TwoHistories('witness.fork', `there are two histories: the server has another checkpoint at ${epoch}/${number}`, {
        earlier: mine,
        later: opened,
      });
    }
    throw new CordonError(
      'witness.gap',
      `checkpoint ${epoch}/${number} is not kept any more: what came after it cannot be followed; begin with a new state folder`,
    );
  };

  const confirm = async (link: Link, by: readonly string[]): Promise<void> => {
    if (!root.trusted.keys('witness').has(key.kid)) return sayOnce(`only watches: the root does not name the key ${key.kid} as a witness`);
    if (by.includes(key.kid)) return;
    const { cosigned, demanded } = await server.cosign(link.digest, await cosign(link.payload, link.digest, key));
    const { epoch, number, serial } = link.payload;
    say(`cosigned ${epoch}/${number}, serial ${serial}: ${cosigned} of ${demanded}`);
  };

  return {
    newest: () => newest,
    step: async (waitSeconds) => {
      const mine = newest;
      const page = await server.onwards(mine?.payload.epoch ?? 0, mine?.payload.number ?? 0, Math.min(patience, waitSeconds));
      patience = waitSeconds;
      if (page.roots !== root.count) root = await readRoots();
      const keys = root.trusted.everKeys('checkpoint');
      const links: Link[] = [];
      for (const { jws } of page.items) links.push(await openLink(jws, keys));
      if (mine !== undefined) demandMine(mine, page.items, links[0]);
      for (const link of mine === undefined ? links : links.slice(1)) {
        if (newest !== undefined) demandNext(newest, link, root.trusted.document.epoch);
        newest = link;
      }
      if (newest === undefined) return false;
      if (newest !== mine) keep();
      const last = page.items.at(-1);
      if (!page.more && last !== undefined) await confirm(newest, last.witnesses);
      return page.more;
    },
  };
};
