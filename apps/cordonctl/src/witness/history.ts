/** What a witness demands of the next checkpoint, before it goes on to it. Pure. */
import { CordonError } from '@cordon/policy/errors.ts';
import { compareLinks, type Finding, type Link } from '@cordon/policy/trust/history.ts';

/** A history that does not go on as it should, with both checkpoints as evidence. */
export class TwoHistories extends CordonError {
  readonly finding: Pick<Finding, 'earlier' | 'later'>;

  constructor(code: string, message: string, finding: Pick<Finding, 'earlier' | 'later'>) {
    super(code, message);
    this.finding = finding;
  }
}

const WORDS: Readonly<Record<Finding['code'], string>> = {
  'history.fork': 'there are two histories',
  'history.shrink': 'members or cohorts were lost within an epoch',
  'history.audit': "the audit log's head went back, or changed without a new entry",
  'history.serial': 'the serial went back',
  'history.gap': 'checkpoints between are missing',
  'history.withheld': 'checkpoints between are missing',
};

const placeOf = ({ payload: { epoch, number, serial }, digest }: Link): string =>
  `${epoch}/${number} (serial ${serial}, ${digest.slice(0, 16)})`;

/**
 * @param rootEpoch of the newest root: only it begins a new epoch
 * @throws TwoHistories `witness.fork|shrink|audit|serial|gap|epoch`
 */
export const demandNext = (newest: Link, next: Link, rootEpoch: number): void => {
  const refuse = (code: string, why: string): never => {
    throw new TwoHistories(code, `${why}: ${placeOf(next)} after ${placeOf(newest)}`, { earlier: newest, later: next });
  };
  const { relation, findings } = compareLinks(newest, next);
  if (relation === 'epoch') {
    const { epoch, number, previous } = next.payload;
    const isRaised = epoch > newest.payload.epoch && epoch <= rootEpoch;
    if (!isRaised || number !== 0 || previous !== null)
      refuse('witness.epoch', 'an epoch begins that the root did not raise, or not at its beginning');
    return;
  }
  const [found] = findings;
  if (found !== undefined) refuse(found.code.replace('history', 'witness'), WORDS[found.code]);
  if (relation === 'apart' || next.payload.number < newest.payload.number) refuse('witness.gap', WORDS['history.gap']);
};
