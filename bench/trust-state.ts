/** A state as one device of a large fleet gets it, for `trust.verify`: made on a thread of its own. */
import { parentPort } from 'node:worker_threads';
import type { BundleContent } from '@cordon/policy/effective.ts';
import { sha256Base64Url, sha256Hex } from '@cordon/policy/trust/digest.ts';
import { createWorld, FLEET, ISSUED, policyDocument, stateFor, type World } from '@cordon/policy/trust/_world.ts';
import type { StateInput } from '@cordon/policy/trust/verify.ts';

export interface MadeState {
  readonly world: World;
  readonly input: StateInput;
}

export const DEVICES = 100_000;
export const COHORTS = 500;

/** An id as long and as random as a real one. */
const named = (kind: string, i: number): string => `${kind}_${sha256Base64Url(`${kind}${i}`).slice(0, 20)}`;

/** About 50 KiB of canonical JSON: twenty policies of 72 rules. */
const content: BundleContent = {
  format: 'cordon-bundle/1',
  language: 'cordon/v1',
  policies: Array.from({ length: 20 }, (_, i) => ({
    policy: named('pol', i),
    name: `policy ${i}`,
    revision: 1,
    document: policyDocument(`policy-${i}`, {
      allow: {
        filesystem: { read: Array.from({ length: 36 }, (_unused, k) => `/srv/data/${i}/folder-${k}`) },
        network: { hosts: Array.from({ length: 36 }, (_unused, k) => ({ host: `host${k}.team${i}.example.com` })) },
      },
    }),
    because: [{ assignment: `asg_${i}`, group: 'grp_1', groupName: 'developers' }],
  })),
  exceptions: [],
};

const makeState = async (): Promise<MadeState> => {
  const world = await createWorld(named('org', 0));
  const [first] = FLEET.cohorts;
  const cohorts = Array.from({ length: COHORTS }, (_, i) => ({
    id: named('coh', i),
    serial: 7,
    content: i === 123 ? content : (first?.content ?? content),
  }));
  const devices = Array.from({ length: DEVICES }, (_, i) => ({ id: named('dev', i), cohort: i % COHORTS }));
  return {
    world,
    input: await stateFor(
      world,
      { serial: 7, at: ISSUED, cohorts, devices, chain: { number: 1234, previous: sha256Hex('previous'), skip: sha256Hex('skip') } },
      77_123,
    ),
  };
};

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port is no window
parentPort?.postMessage(await makeState());
