import { describe, expect, it } from 'vitest';
import { failureLabels, type JobStanding, standingOf } from '../../src/domain/rank.ts';
import { failureKinds } from '../../src/domain/stage-failure.ts';

const states = ['open', 'passed', 'failed', 'our-fault', 'cancelled'] as const;
const job = (state: JobStanding['state'], changes: Partial<JobStanding> = {}): JobStanding => ({
  state,
  score: state === 'passed' ? 1.5 : null,
  failure: state === 'failed' ? { kind: 'wrong', stage: 'test' } : null,
  ...changes,
});

const failed = 'wrong result (test)';
const ours = 'the box failed, not the code';
const cancelled = 'cancelled';
const secretFailed = 'the secret run failed';

/** Rows: the public job; columns: the secret one, in the order of `states`. `true` is ranked. */
const table: Record<(typeof states)[number], (string | null | true)[]> = {
  open: [null, null, secretFailed, ours, cancelled],
  passed: [null, true, secretFailed, ours, cancelled],
  failed: [failed, failed, failed, failed, failed],
  'our-fault': [ours, ours, ours, ours, ours],
  cancelled: [cancelled, cancelled, cancelled, ours, cancelled],
};

describe('a ranked submission on one GPU type', () => {
  it.each(
    states.flatMap((open) => states.map((secret, column) => [open, secret, table[open][column]] as const)),
  )('whose public job is %s and whose secret job is %s: %s', (publicState, secretState, expected) => {
    const standing = standingOf(job(publicState), job(secretState));
    expect(standing.eligible).toBe(expected === true);
    expect(standing.reason).toBe(expected === true ? null : expected);
  });

  it('is not ranked without a score on both sides', () => {
    for (const [mine, secret] of [
      [null, 2],
      [2, null],
      [null, null],
    ]) {
      const standing = standingOf(
        job('passed', { score: mine ?? null }),
        job('passed', { score: secret ?? null }),
      );
      expect(standing).toMatchObject({ eligible: false, reason: 'the run gave no score' });
    }
  });

  it('keeps both scores, also where it is not ranked', () => {
    expect(standingOf(job('failed'), job('passed', { score: 7 }))).toMatchObject({
      publicScore: null,
      secretScore: 7,
    });
    expect(standingOf(job('passed', { score: 3 }), job('failed'))).toMatchObject({
      publicScore: 3,
      secretScore: null,
    });
  });

  it('says nothing of why its secret run failed', () => {
    const reasons = failureKinds.map(
      (kind) => standingOf(job('passed'), job('failed', { failure: { kind, stage: 'leaderboard' } })).reason,
    );
    expect(new Set(reasons)).toEqual(new Set([secretFailed]));
  });

  it.each(failureKinds)('says of a %s failure in public what it is and in which stage', (kind) => {
    const { reason } = standingOf(job('failed', { failure: { kind, stage: 'benchmark' } }), job('open'));
    expect(reason).toBe(`${failureLabels[kind]} (benchmark)`);
  });

  it('that failed without a failure has a reason all the same', () => {
    expect(standingOf(job('failed', { failure: null }), job('open')).reason).toBe('the public run failed');
  });
});

describe('a submission in another mode', () => {
  it.each([
    ['open', null],
    ['passed', null],
    ['failed', failed],
    ['our-fault', ours],
    ['cancelled', cancelled],
  ] as const)('that is %s is never ranked; its reason: %s', (state, reason) => {
    expect(standingOf(job(state), null)).toMatchObject({ eligible: false, secretScore: null, reason });
  });
});
