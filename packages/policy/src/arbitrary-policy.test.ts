/** The generator that the laws stand on: what it makes is what the language accepts, and it makes every section. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryPolicies, arbitrarySystem, askedPaths, effectiveOf } from './_arbitrary-policy.ts';
import { LAW_RUNS } from './_laws.ts';
import { createDecider } from './decide/decider.ts';
import { parsePolicy } from './document/parse.ts';

describe('generated policies', () => {
  it('are valid documents', () => {
    fc.assert(
      fc.property(arbitraryPolicies, (policies) => {
        for (const { document } of policies) expect(parsePolicy(JSON.stringify(document)).document).toEqual(document);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('decide both ways: some allow what is asked, some hide it, some make it read-only', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(arbitraryPolicies, arbitrarySystem, (policies, os) => {
        const { paths } = createDecider(effectiveOf(policies, os));
        for (const path of askedPaths(os))
          seen.add(`${os} ${paths.allows(path, 'read') ? 'r' : '-'}${paths.allows(path, 'write') ? 'w' : '-'}`);
      }),
      { numRuns: LAW_RUNS },
    );
    expect([...seen].sort()).toEqual(['linux', 'macos', 'windows'].flatMap((os) => ['--', 'r-', 'rw'].map((rights) => `${os} ${rights}`)));
  });
});
