/** Exclusion wins: the one rule by which assignments give policies. Shared by everything that places, approves or judges. */

/**
 * Of assignments that reach one device, those that give it something: a policy that any of them excludes is not got, whatever includes it.
 * @param reaching only assignments whose group the device is in
 * @param policyOf names an assignment's policy
 */
export const including = <A extends { readonly mode: 'include' | 'exclude' }>(
  reaching: readonly A[],
  policyOf: (assignment: A) => string,
): readonly A[] => {
  const excluded = new Set(reaching.filter(({ mode }) => mode === 'exclude').map(policyOf));
  return reaching.filter((assignment) => assignment.mode === 'include' && !excluded.has(policyOf(assignment)));
};
