/** Views as nasty as strangers and long lists can make them, for tests of what is shown. */
import fc from 'fast-check';
import { failureKinds } from '../../src/domain/stage-failure.ts';
import {
  type GpuResult,
  type JobView,
  modes,
  type RunView,
  type SubmissionView,
  submissionStatuses,
} from '../../src/domain/submission.ts';

export const nastyText = (maxLength: number) =>
  fc
    .array(
      fc.oneof(
        fc.constantFrom(
          '`',
          '``',
          '```',
          '`````',
          '\n',
          '\\',
          '**',
          '__',
          '||',
          '@everyone',
          '<@1>',
          '<#2>',
          '[x](http://y)',
          '😀',
          '\u200b',
        ),
        fc.string({ unit: 'grapheme' }),
        fc.constantFrom(100, 900, 5000).map((length) => 'long'.repeat(length / 4)),
        fc.constantFrom(100, 4000).map((length) => '😀'.repeat(length / 2)),
        fc.constantFrom(100, 4000).map((length) => '*_`'.repeat(length)),
      ),
      { maxLength: 6 },
    )
    .map((parts) => parts.join('').slice(0, maxLength).toWellFormed());

const score = fc.option(fc.double({ min: 1e-12, max: 1e6, noNaN: true }));
const date = fc.date({ min: new Date('2026-01-01'), max: new Date('2099-01-01'), noInvalidDate: true });

const jobView: fc.Arbitrary<JobView> = fc.record({
  jobId: fc.nat(),
  status: fc.constantFrom(
    'queued',
    'leased',
    'running',
    'finished',
    'finished',
    'finished',
    'failed',
    'cancelled',
  ),
  passed: fc.constantFrom(true, false, null),
  failure: fc.option(
    fc.record({
      kind: fc.constantFrom(...failureKinds),
      stage: fc.constantFrom('test', 'leaderboard'),
      summary: nastyText(500),
      detail: nastyText(3000),
    }),
  ),
  score,
  progress: fc.option(
    fc.record({
      stage: fc.constantFrom('test', 'leaderboard', 'profile.12'),
      state: fc.constantFrom('running', 'finished', 'warmup', 'building'),
      done: fc.nat(),
      of: fc.nat(),
    }),
  ),
  box: fc.option(nastyText(40)),
  boxErrorKind: fc.option(fc.constant('unreachable')),
  attempt: fc.nat(5),
  place: fc.option(
    fc.record({
      ahead: fc.nat(),
      eta: fc.option(fc.record({ lowMs: fc.nat(), highMs: fc.double({ min: 0, max: 1e12, noNaN: true }) })),
    }),
  ),
  boxesReady: fc.nat(1),
  boxesOffline: fc.nat(1),
  sandbox: fc.constantFrom('none', 'bwrap', null),
});

const gpuResult: fc.Arbitrary<GpuResult> = fc.record({
  gpuType: fc.oneof(
    fc.constantFrom('H100', 'MI300x8'),
    nastyText(300).map((text) => text || 'x'),
  ),
  publicJob: jobView,
  secretJob: fc.option(jobView),
  publicScore: score,
  secretScore: score,
  eligible: fc.boolean(),
  reason: fc.option(nastyText(300)),
  rank: fc.option(fc.integer({ min: 1, max: 1e6 })),
});

export const submissionView: fc.Arbitrary<SubmissionView> = fc.record({
  id: fc.integer({ min: 1, max: 2 ** 53 - 1 }),
  userId: fc.stringMatching(/^\d{17,19}$/),
  userName: nastyText(100),
  leaderboard: fc.stringMatching(/^[A-Za-z0-9_.-]{1,100}$/),
  fileName: nastyText(120),
  official: fc.boolean(),
  mode: fc.constantFrom(...modes),
  status: fc.constantFrom(...submissionStatuses),
  reason: fc.option(nastyText(3000)),
  createdAt: date,
  finishedAt: fc.option(date),
  gpus: fc.array(gpuResult, { minLength: 1, maxLength: 40, size: 'max' }),
});

/** The runs that belong to a view: a public one with many benchmark cases on each of its GPU types. */
export function runsOf(view: SubmissionView, spec: string): RunView[] {
  return view.gpus.map((gpu) => ({
    gpuType: gpu.gpuType,
    secret: false,
    stage: 'leaderboard',
    mode: 'leaderboard',
    passed: true,
    score: 1,
    startedAt: view.createdAt,
    finishedAt: view.createdAt,
    exitCode: 0,
    failure: null,
    compilation: null,
    warmup: null,
    profile: null,
    result: Array.from({ length: 14 }, (_, i): [string, string][] => [
      [`benchmark.${i}.spec`, spec],
      [`benchmark.${i}.mean`, `${1000 + i}`],
      [`benchmark.${i}.err`, `${i}`],
    ]).flat(),
    stdout: spec,
    stderr: '',
    system: {
      gpu: 'H100',
      device_count: 1,
      cpu: 'c',
      runtime: 'r',
      platform: 'p',
      torch: 't',
      hostname: 'h',
    },
    sandbox: 'bwrap',
  }));
}
