import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import type { Join } from '@cordon/policy/protocol/enrollment.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterJoin, judgeJoin, MAX_LEAP, type Judgement, type KeptJoin } from './join.ts';

const FIRST: KeptJoin = { count: 0, mark: '', displaced: [] };

/** A device's file, as the endpoint keeps it (identity/join-file.ts there). */
interface State {
  readonly count: number;
  readonly last: string;
  /** Drawn with the first attempt after a confirmation. */
  readonly next: string | undefined;
}
let marks = 0;
const newMark = (): string => `m${(marks += 1)}`;

/** One machine: its file changes with each attempt, and once more when it hears that it has a session. */
class Machine {
  state: State;
  constructor(state: State = { count: 0, last: 'none', next: undefined }) {
    this.state = state;
  }
  attempt(): Join {
    const { count, last, next = newMark() } = this.state;
    this.state = { count: count + 1, last, next };
    return { count: count + 1, last, next };
  }
  confirmed(): void {
    const { count, last, next } = this.state;
    this.state = { count, last: next ?? last, next: undefined };
  }
  raise(count: number): void {
    this.state = { ...this.state, count: Math.max(count, this.state.count) };
  }
}

class Server {
  kept = FIRST;
  readonly seen: Judgement[] = [];
  take(claim: Join): Judgement {
    const judgement = judgeJoin(this.kept, claim);
    if (judgement !== 'behind' && judgement !== 'leaps') this.kept = afterJoin(this.kept, claim, judgement);
    if (judgement !== 'behind') this.seen.push(judgement);
    return judgement;
  }
}
/** As a device does it: asked to sign again with a higher number, it does. @param heard whether the answer reaches it */
const join = (server: Server, machine: Machine, heard = true): Judgement => {
  let judgement = server.take(machine.attempt());
  if (judgement === 'behind') {
    machine.raise(server.kept.count);
    judgement = server.take(machine.attempt());
  }
  if (heard) machine.confirmed();
  return judgement;
};

describe('the line of sessions', () => {
  it('of one machine continues, whatever is lost on the way: requests, answers, or the write of a confirmation', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('heard', 'answer lost', 'request lost'), { maxLength: 40 }), (steps) => {
        const [server, machine] = [new Server(), new Machine()];
        for (const step of steps) {
          if (step === 'request lost') machine.attempt();
          else expect(join(server, machine, step === 'heard')).toBe('continues');
        }
        expect(server.kept.displaced).toEqual([]);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('of a state that was put back shows at once, is let on, and then continues', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 10 }), fc.nat(5), (before, lost, unanswered) => {
        const [server, machine] = [new Server(), new Machine()];
        for (let i = 0; i < before; i += 1) join(server, machine);
        const snapshot = machine.state;
        for (let i = 0; i < lost; i += 1) join(server, machine);
        const restored = new Machine(snapshot);
        for (let i = 0; i < unanswered; i += 1) restored.attempt();
        expect(join(server, restored)).toBe('restore');
        for (let i = 0; i < 5; i += 1) expect(join(server, restored)).toBe('continues');
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('of a state that is put back again and again is that each time, and never two machines', () => {
    const [server, machine] = [new Server(), new Machine()];
    join(server, machine);
    const snapshot = machine.state;
    join(server, machine);
    for (let i = 0; i < 20; i += 1) expect(join(server, new Machine(snapshot))).toBe('restore');
    expect(server.kept.displaced).toHaveLength(8);
  });

  it('of two machines is known when the first comes back after the second, in any order of attempts that fail', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(4)), { minLength: 2, maxLength: 30 }), (turns) => {
        const [server, first] = [new Server(), new Machine()];
        join(server, first);
        const second = new Machine(first.state);
        let before: boolean | undefined;
        const changes: Judgement[] = [];
        for (const [isSecond, unanswered] of turns) {
          const machine = isSecond ? second : first;
          for (let i = 0; i < unanswered; i += 1) machine.attempt();
          const judgement = join(server, machine);
          if (before !== undefined && isSecond !== before) changes.push(judgement);
          else expect(judgement).toBe('continues');
          before = isSecond;
        }
        expect(changes).toEqual(changes.map((_, i) => (i === 0 ? 'restore' : 'clone')));
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('of a copy that was made in the middle of an attempt is known one session later', () => {
    const [server, first] = [new Server(), new Machine()];
    join(server, first);
    first.attempt();
    const second = new Machine(first.state);
    expect([join(server, first), join(server, second)]).toEqual(['continues', 'continues']);
    expect([join(server, first), join(server, second), join(server, first)]).toEqual(['continues', 'restore', 'clone']);
  });

  it('opens nothing twice: a number that was used is behind, whatever its marks are', () => {
    const server = new Server();
    const machine = new Machine();
    const proof = machine.attempt();
    expect([server.take(proof), server.take(proof)]).toEqual(['continues', 'behind']);
  });

  it('that is not known any more, after a restore of the database, begins where the device is', () => {
    const [server, machine] = [new Server(), new Machine()];
    join(server, machine);
    const backup = server.kept;
    for (let i = 0; i < 5; i += 1) join(server, machine);
    server.kept = backup;
    const used = machine.attempt();
    server.kept = { ...backup, mark: '', displaced: [] };
    expect([server.take(used), server.take(used), join(server, machine)]).toEqual(['continues', 'behind', 'continues']);
  });

  it('does not leap: a stolen key cannot use up the numbers', () => {
    const kept: KeptJoin = { count: 10, mark: 'm', displaced: [] };
    expect(judgeJoin(kept, { count: 10 + MAX_LEAP, last: 'm', next: 'n' })).toBe('continues');
    expect(judgeJoin(kept, { count: 11 + MAX_LEAP, last: 'm', next: 'n' })).toBe('leaps');
  });
});
