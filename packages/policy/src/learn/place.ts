/** A path as a rule would say it: below a variable where it lies in one, as segments; and which of its folders a rule may name. */
import { NEVER_GRANT } from '../builtin.ts';
import { checkSection, liesIn } from '../document/check.ts';
import { parsePathText } from '../document/variables.ts';
import type { OperatingSystem, PathVariables } from '../effective.ts';
import { isWithin } from '../match/path.ts';
import type { Attempts } from './attempts.ts';

/** `base` is a variable as written in rules, a drive, or empty. */
export interface Place {
  readonly base: string;
  readonly segments: readonly string[];
}

const MAX_TEXT = 1024;
const NEVER = Object.values(NEVER_GRANT).flat().map(parsePathText);

const segmentsOf = (path: string, os: OperatingSystem): readonly string[] =>
  path
    .split(os === 'windows' ? '\\' : '/')
    .slice(1)
    .filter((segment) => segment !== '');

/** The nearest variable around a path; of two at the same place the narrower in meaning. @param path canonical */
export const placeOf = (path: string, variables: PathVariables, os: OperatingSystem): Place => {
  const { workspace, agent, tools, home } = variables;
  const values = [
    ...(workspace === undefined ? [] : [{ base: '${workspace}', value: workspace }]),
    ...agent.map((value) => ({ base: '${agent}', value })),
    ...tools.map((value) => ({ base: '${tools}', value })),
    { base: '${home}', value: home },
  ];
  const [nearest] = values
    .filter(({ value }) => isWithin(path, value, os))
    .toSorted((a, b) => segmentsOf(b.value, os).length - segmentsOf(a.value, os).length);
  const segments = segmentsOf(path, os);
  if (nearest === undefined) return { base: os === 'windows' ? path.slice(0, 2) : '', segments };
  return { base: nearest.base, segments: segments.slice(segmentsOf(nearest.value, os).length) };
};

/** Where homes lie, whether or not one was seen there; lower case. */
const USUAL_PARENTS: ReadonlySet<string> = new Set(['/home', '/users', 'c:\\users']);

const parentOf = (path: string): string => path.slice(0, Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')));

const isVariable = ({ base }: Place): boolean => base.startsWith('${');

/** Whether it lies in a home, or where others' homes may lie. */
export const isOfHomes = (place: Place): boolean => !isVariable(place) || place.base === '${home}';

/** A folder of the place, by how many of its segments it has. */
export const textAt = ({ base, segments }: Place, length: number): string => {
  const windows = /^[A-Z]:$/.test(base);
  return `${base}${segments
    .slice(0, length)
    .map((segment) => (windows ? '\\' : '/') + segment)
    .join('')}`;
};

/** Whether rules can say it on every system: no globs or variables inside, nothing that Windows reads as another name. */
const isSaid = ({ segments }: Place, length: number, text: string): boolean =>
  text.length <= MAX_TEXT && segments.slice(0, length).every((segment) => !/[*?[\]\\:]|\$\{|[. ]$/.test(segment));

/** Why a rule may not name the folder; undefined when it may. */
export const unfit = (
  place: Place,
  length: number,
  { homes, tainted }: Pick<Attempts, 'homes' | 'tainted'>,
): 'not-expressible' | 'too-wide' | 'never-granted' | undefined => {
  const text = textAt(place, length);
  if (!isVariable(place)) {
    if (length < 2) return 'too-wide';
    // What holds a home, and what lies beside one: that is somebody's home too.
    const parent = parentOf(text).toLowerCase();
    const holds = homes.some(
      ({ home, os }) => (os === 'windows') === (place.base !== '') && (isWithin(home, text, os) || parentOf(home).toLowerCase() === parent),
    );
    if (holds || USUAL_PARENTS.has(parent)) return 'too-wide';
  } else if (length === 0 && place.base === '${home}') return 'too-wide';
  if (!isSaid(place, length, text)) return 'not-expressible';
  if (checkSection({ filesystem: { read: [text] } }, 'allow', []).length > 0) return 'never-granted';
  if (tainted.has(text)) return 'too-wide';
  const template = parsePathText(text);
  return NEVER.some((never) => liesIn(never, template)) ? 'too-wide' : undefined;
};
