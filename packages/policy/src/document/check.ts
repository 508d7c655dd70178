/** What the schema cannot say: which paths, hosts and names make sense in which section. */
import { isLoaderVariable, NEVER_GRANT } from '../builtin.ts';
import { CordonError } from '../errors.ts';
import { canonicalHostPattern } from '../match/host.ts';
import { isWithin } from '../match/path.ts';
import type { HostEntry, PolicyDocument } from './schema.ts';
import { checkPathText } from './variables.ts';

export interface Finding {
  readonly code: string;
  readonly path: readonly (string | number)[];
  readonly message: string;
}

const neverGranted = (text: string): string | undefined => {
  const plain = (path: string): string => path.replace(/^\$\{/, '/${').replace(/\/+$/, '');
  return NEVER_GRANT.find((never) => isWithin(plain(text), plain(never), 'linux'));
};

const attempt = (path: readonly (string | number)[], check: () => void): Finding[] => {
  try {
    check();
    return [];
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return [{ code: error.code, path, message: error.message }];
  }
};

const checkHost = (entry: HostEntry, effect: 'allow' | 'deny' | 'limit'): void => {
  const pattern = canonicalHostPattern(entry.host);
  if (effect === 'allow' && entry.private === true && pattern.includes('*'))
    throw new CordonError('host.private-wildcard', `private: true needs an exact host: others may control names below ${entry.host}`);
};

/** @returns every finding, in the order of the document */
export const checkDocument = (document: PolicyDocument): Finding[] =>
  (['allow', 'deny', 'limit'] as const).flatMap((effect) => {
    const section = document.spec[effect];
    const paths: Readonly<Record<string, readonly string[] | undefined>> = section?.filesystem ?? {};
    return [
      ...Object.entries(paths).flatMap(([access, list]) =>
        (list ?? []).flatMap((text, index) =>
          attempt(['spec', effect, 'filesystem', access, index], () => {
            checkPathText(text);
            const never = effect === 'allow' ? neverGranted(text) : undefined;
            if (never !== undefined) throw new CordonError('path.never-granted', `${text} lies in ${never}, which no policy can grant`);
          }),
        ),
      ),
      ...(section?.network?.hosts ?? []).flatMap((entry, index) =>
        attempt(['spec', effect, 'network', 'hosts', index, 'host'], () => checkHost(entry, effect)),
      ),
      ...(effect === 'allow' ? (document.spec.allow?.environment ?? []) : []).flatMap((name, index) =>
        isLoaderVariable(name)
          ? [
              {
                code: 'environment.loader',
                path: ['spec', 'allow', 'environment', index],
                message: `${name} changes what programs load or run, so it is never passed on`,
              },
            ]
          : [],
      ),
    ];
  });
