/** For the model test: what a control plane has published, and every frame that can be made of it. */
import type { RootsFrame } from '@cordon/policy/protocol/channel.ts';
import { after, contentOf, DAY, keyNamed, keysFor, stateFor, type Fleet, type Forgery, type World } from '@cordon/policy/trust/_world.ts';
import { bundleBytes } from '@cordon/policy/trust/bundle.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { nextRoot, signRoot } from '@cordon/policy/trust/founding.ts';
import { world, type Halves } from './_device.ts';

export const MINUTE = 60_000;
/** From strict to lax. */
const CONTENTS = [contentOf(['pol_a', 1, '/srv/a/b']), contentOf(['pol_a', 2, '/srv/a']), contentOf(['pol_a', 3, '/srv'])];
const DIGESTS = CONTENTS.map((content) => sha256Hex(bundleBytes(content)));
export const KINDS = CONTENTS.length;
const thief = keyNamed('thief');
const FORGERIES: readonly Forgery[] = [
  { policyKey: thief },
  { checkpointKey: thief },
  { content: (content) => ({ ...content, policies: [] }) },
  { memberLeaf: (leaf) => ({ ...leaf, device: 'dev_9' }) },
  { cohortLeaf: (leaf) => ({ ...leaf, serial: 1e9 }) },
];
export const FORGED = FORGERIES.length;

/** The key that signs checkpoints after so many rotations. */
const checkpointKey = (rotations: number) => keyNamed(rotations === 0 ? `${world.org} checkpoint 0` : `rotated ${rotations}`);

/** Digests of both cohorts, the cohort of the device, and how many roots there were: what one serial said. */
interface Published {
  readonly world: World;
  readonly digests: readonly string[];
  readonly home: number;
  readonly fleet: Fleet;
}

const cohortName = (index: number): string => `coh_${index}`;

export class Server {
  readonly #history: Published[] = [];
  readonly #frames = new Map<string, Promise<Halves>>();
  #world = world;

  get serial(): number {
    return this.#history.length;
  }

  /** Another root, with another key for checkpoints, and another epoch if wanted: nothing that was signed before counts under it. */
  async rotate(raiseEpoch: boolean): Promise<void> {
    const { root, roots } = this.#world;
    const keys = { threshold: 1, keys: [checkpointKey(roots.length).jwk] };
    const next = nextRoot(root, { role: 'checkpoint', keys, raiseEpoch, expiresAt: after(4000 * DAY) });
    this.#world = { ...this.#world, root: next, roots: [...roots, await signRoot(next, keysFor(world.org, 'root').slice(1))] };
  }

  /** The roots that come after so many; signed by a stranger if `forged`. */
  async roots(held: number, forged = false): Promise<RootsFrame> {
    const { root, roots, floor } = this.#world;
    const strange = async (): Promise<string> =>
      signRoot(nextRoot(root, { expiresAt: after(4000 * DAY) }), [...keysFor(world.org, 'floor'), keyNamed('thief')]);
    return { type: 'roots', after: held, roots: forged ? [await strange()] : roots.slice(held), floor };
  }

  /** @param change the kind of content that a cohort has from now on, or the cohort that the device is in. @param at milliseconds after the beginning */
  publish(at: number, change: { readonly cohort?: number; readonly kind?: number; readonly home?: number } = {}): void {
    const [last, serial] = [this.#history.at(-1), this.serial + 1];
    const home = change.home ?? last?.home ?? 0;
    const cohorts = [0, 1].map((index) => {
      const before = last?.fleet.cohorts[index];
      const content = index === change.cohort ? CONTENTS[change.kind ?? 0] : before?.content;
      return content === undefined || content === before?.content
        ? (before ?? { id: cohortName(index), serial, content: CONTENTS[index] ?? contentOf() })
        : { id: cohortName(index), serial, content };
    });
    const fleet: Fleet = {
      serial,
      at: after(at),
      cohorts,
      devices: [home, 1].map((cohort, index) => ({ id: `dev_${index}`, cohort })),
    };
    this.#history.push({
      world: this.#world,
      fleet,
      home,
      digests: cohorts.map(({ content }) => DIGESTS[CONTENTS.indexOf(content)] ?? ''),
    });
  }

  /** What was sent under a serial, for the device itself or for another one, honest or forged. */
  frames(serial: number, device = 0, forgery?: number): Promise<Halves> {
    const key = `${serial}/${device}/${forgery}`;
    const published = this.#history[serial - 1];
    if (published === undefined) throw new Error(`nothing was published as ${serial}`);
    const signer = { checkpointKey: checkpointKey(published.world.roots.length - 1) };
    const made =
      this.#frames.get(key) ??
      stateFor(published.world, published.fleet, device, { ...signer, ...(forgery === undefined ? {} : FORGERIES[forgery]) });
    this.#frames.set(key, made);
    return made;
  }

  /** Whether a digest was what a serial said of a cohort, and the device was in that cohort under the other serial. */
  said(digest: string, cohort: string, serial: number, member: number): boolean {
    const index = [0, 1].findIndex((i) => cohortName(i) === cohort);
    return this.#history[serial - 1]?.digests[index] === digest && this.#history[member - 1]?.home === index;
  }

  /** The cohort that the device is in, and the kind of content that it has. */
  get now(): { readonly home: number; readonly kind: number } {
    const last = this.#history.at(-1);
    return { home: last?.home ?? 0, kind: this.kindOf(last?.digests[last.home] ?? '') };
  }

  /** From strict to lax, -1 for what nobody published. */
  kindOf(digest: string): number {
    return DIGESTS.indexOf(digest);
  }

  /** How many roots there were. */
  rootsUnder(serial: number): number {
    return this.#history[serial - 1]?.world.roots.length ?? 0;
  }

  epochUnder(serial: number): number {
    return this.#history[serial - 1]?.world.root.epoch ?? 0;
  }

  issuedAt(serial: number): number {
    return this.#history[serial - 1]?.fleet.at.getTime() ?? Number.NaN;
  }
}
