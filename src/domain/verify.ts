/** A known-good run on each box: what is at hand to run, and how it went. */
import { type BoxErrorKind, boxErrorRemedies } from './box-error.ts';
import { failureLabels } from './rank.ts';
import { readBenchmarkLines } from './result-lines.ts';
import { scoreOf } from './score.ts';
import type { Failure } from './stage-failure.ts';
import type { JobStatus } from './submission.ts';

/** What runs without a board need from elsewhere; put together in app.ts. */
export interface RunDesk {
  /** SHA-256 of the runner that judges, in hex. */
  runnerHash: string;
  /** A file that passes the problem of a leaderboard; null where none is at hand. */
  findKnownGood(leaderboard: string): Promise<{ name: string; bytes: Uint8Array } | null>;
}

/** What is known of a run on one box. */
export interface VerifyFacts {
  runId: number;
  /** Of the box, and why it is not ready. */
  boxState: string;
  boxProblem: string | null;
  status: JobStatus;
  passed: boolean | null;
  failure: Failure | null;
  /** `kind: message` of the box's failure. */
  boxError: string | null;
  progress: { stage: string; state: string; done: number; of: number } | null;
  startedAt: Date | null;
  finishedAt: Date | null;
  /** Of its last public stage. */
  result: [string, string][];
}

export interface Verdict {
  state: 'waiting' | 'running' | 'ok' | 'failed' | 'left-out';
  /** From its start on the box to its stored result; null before it has ended. */
  seconds: number | null;
  /** Geometric mean of what it timed; null where it timed nothing. */
  meanSeconds: number | null;
  /** What went wrong, or what it waits for; empty where all is well. */
  text: string;
  /** What usually helps, in our own words; empty where that is not known. */
  remedy: string;
}

const plainVerdict = (state: Verdict['state'], text: string): Verdict => ({
  state,
  text,
  remedy: '',
  seconds: null,
  meanSeconds: null,
});

/** Of a box on which nothing is started; null: its run can begin. */
export function verdictOnBox({ state, problem }: { state: string; problem: string | null }): Verdict | null {
  if (state === 'ready') return null;
  if (state === 'quarantined') return plainVerdict('failed', `it is in quarantine: ${problem}`);
  // This machine is offline, too, where it only stands back for others.
  if (state === 'offline' && problem !== null && isBoxError(problem)) return boxFailure(problem);
  return plainVerdict('left-out', `gets no jobs: ${problem ?? state}`);
}

export function verdictOf(facts: VerifyFacts): Verdict {
  const { status, progress } = facts;
  switch (status) {
    case 'queued':
      return (
        verdictOnBox({ state: facts.boxState, problem: facts.boxProblem }) ??
        plainVerdict('waiting', 'waits for a free lane')
      );
    case 'leased':
    case 'running':
      return plainVerdict('running', progress ? progressText(progress) : 'starting');
    case 'cancelled':
      return plainVerdict('failed', 'the run was cancelled');
    case 'failed':
      return { ...boxFailure(facts.boxError ?? ''), seconds: secondsOf(facts) };
    case 'finished':
      return finishedVerdict(facts);
  }
}

function finishedVerdict(facts: VerifyFacts): Verdict {
  const means = readBenchmarkLines(new Map(facts.result)).map((item) => item.meanNs);
  const { failure } = facts;
  return {
    state: facts.passed ? 'ok' : 'failed',
    seconds: secondsOf(facts),
    meanSeconds: facts.passed && means.length > 0 ? scoreOf(means, 'geom') : null,
    remedy: '',
    text: failure ? `${failureLabels[failure.kind]} (${failure.stage}): ${failure.summary}` : '',
  };
}

function progressText({ stage, state, done, of }: NonNullable<VerifyFacts['progress']>): string {
  if (state === 'waiting') return `in the cluster’s queue: ${stage}`;
  return of > 0 ? `${stage}, case ${done} of ${of}` : stage;
}

function secondsOf({ startedAt, finishedAt }: VerifyFacts): number | null {
  return startedAt && finishedAt ? (finishedAt.getTime() - startedAt.getTime()) / 1000 : null;
}

const kindOf = (text: string) => text.split(': ', 1)[0] ?? '';
const isBoxError = (text: string) => Object.hasOwn(boxErrorRemedies, kindOf(text));

/** From `kind: message`. */
function boxFailure(text: string): Verdict {
  const kind = kindOf(text);
  if (!isBoxError(text)) return plainVerdict('failed', text || 'the box failed');
  const verdict = plainVerdict('failed', text.slice(kind.length + 2));
  return { ...verdict, remedy: boxErrorRemedies[kind as BoxErrorKind] };
}
