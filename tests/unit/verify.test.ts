import { describe, expect, it } from 'vitest';
import { type VerifyFacts, verdictOf, verdictOnBox } from '../../src/domain/verify.ts';
import { type VerifyRow, verifyEmbed } from '../../src/reports/verify-embed.ts';

const facts: VerifyFacts = {
  runId: 1,
  boxState: 'ready',
  boxProblem: null,
  status: 'finished',
  passed: true,
  failure: null,
  boxError: null,
  progress: null,
  startedAt: new Date('2026-01-01T00:00:00Z'),
  finishedAt: new Date('2026-01-01T00:00:02.500Z'),
  result: [],
};
const timed: [string, string][] = [
  ['benchmark-count', '2'],
  ['benchmark.0.mean', '1000000'],
  ['benchmark.0.runs', '3'],
  ['benchmark.1.mean', '4000000'],
  ['benchmark.1.runs', '3'],
];

describe('the verdict on a box', () => {
  it('is good with the time it took, and the geometric mean of what was timed', () => {
    expect(verdictOf(facts)).toMatchObject({ state: 'ok', seconds: 2.5, meanSeconds: null, text: '' });
    expect(verdictOf({ ...facts, result: timed }).meanSeconds).toBeCloseTo(0.002, 9);
  });

  it('is bad with what failed, whoever’s fault it looks like', () => {
    const failure = { kind: 'wrong', stage: 'test', summary: 'Test 1 of 2 failed', detail: '' } as const;
    const wrong = verdictOf({ ...facts, passed: false, failure, result: timed });
    expect(wrong).toMatchObject({ state: 'failed', meanSeconds: null });
    expect(wrong.text).toContain('Test 1 of 2 failed');
    const box = verdictOf({
      ...facts,
      status: 'failed',
      passed: null,
      boxError: 'disk-full: no space left: /tmp',
    });
    expect(box).toMatchObject({
      state: 'failed',
      text: 'no space left: /tmp',
      remedy: 'Free some disk space on the box.',
    });
    expect(verdictOf({ ...facts, status: 'failed', boxError: null })).toMatchObject({
      text: 'the box failed',
    });
    expect(verdictOf({ ...facts, status: 'cancelled' })).toMatchObject({ state: 'failed' });
  });

  it('is open while it waits and runs, until the box goes away under it', () => {
    const queued = { ...facts, status: 'queued', startedAt: null, finishedAt: null } as const;
    expect(verdictOf(queued).state).toBe('waiting');
    const progress = { stage: 'test', state: 'running', done: 3, of: 5 };
    expect(verdictOf({ ...queued, status: 'running', progress })).toMatchObject({
      state: 'running',
      text: 'test, case 3 of 5',
    });
    const away = { ...queued, boxState: 'offline', boxProblem: 'unreachable: nobody there' };
    expect(verdictOf(away)).toMatchObject({ state: 'failed', text: 'nobody there' });
    expect(verdictOf({ ...queued, boxState: 'removed' })).toMatchObject({ state: 'left-out' });
  });

  it('leaves out what an organiser has taken out of use, and a machine that stands back', () => {
    expect(verdictOnBox({ state: 'ready', problem: null })).toBeNull();
    expect(verdictOnBox({ state: 'draining', problem: 'by olga' })?.state).toBe('left-out');
    const back = { state: 'offline', problem: 'stands back: another box is registered' };
    expect(verdictOnBox(back)?.state).toBe('left-out');
    expect(verdictOnBox({ state: 'quarantined', problem: 'somebody uses it' })?.state).toBe('failed');
  });
});

describe('the message about all boxes', () => {
  const row = (box: string, boxError: string): VerifyRow => ({
    box,
    gpuType: 'H100',
    problem: 'vector-add',
    runId: 12_345,
    verdict: verdictOf({ ...facts, status: 'failed', boxError }),
  });

  it.each([1, 8, 20, 40])('has a line for each of %d that failed at length, and fits', (count) => {
    const rows = Array.from({ length: count }, (_, i) =>
      row(`box-${i}.`, `sandbox-failed: ${'`very` *long*\n> text\n'.repeat(100)}`),
    );
    const { description = '', title } = verifyEmbed(rows);
    expect(title).toBe(`${count} failed`);
    expect(description.length).toBeLessThanOrEqual(4096);
    for (const { box } of rows) expect(description).toContain(`**${box}**`);
    expect(description).toContain('/admin box doctor');
    // What a box says formats nothing.
    expect(description).not.toMatch(/(?<!\\)\*long/);
  });

  it('says so where nothing was run, and asks for nothing where all is well', () => {
    const [good] = [{ ...row('a', ''), verdict: verdictOf(facts) }];
    expect(verifyEmbed([good]).title).toBe('1 in order');
    expect(verifyEmbed([good]).description).not.toContain('What to do');
    const out = verdictOnBox({ state: 'draining', problem: null });
    if (!out) throw new Error('a drained box has a verdict');
    expect(verifyEmbed([{ ...good, verdict: out }]).title).toBe('Nothing was run');
  });
});
