/** The words for submissions, what people see of them, and who may see what. */
import type { Place } from './eta.ts';
import type { NotRanked } from './not-ranked.ts';
import type { Compilation, Profile, Warmup } from './outcome.ts';
import type { SystemInfo } from './protocol.ts';
import type { Failure } from './stage-failure.ts';

/** As the public protocol names them; people read `leaderboard` as "ranked". */
export const modes = ['test', 'benchmark', 'leaderboard', 'profile'] as const;
export type Mode = (typeof modes)[number];

export const modeLabels: Record<Mode, string> = {
  test: 'test',
  benchmark: 'benchmark',
  leaderboard: 'ranked',
  profile: 'profile',
};

/** Accepts both the protocol's and the people's word, in any case; null for anything else. */
export function parseMode(text: string): Mode | null {
  const word = text.trim().toLowerCase();
  if (word === 'ranked') return 'leaderboard';
  return modes.find((mode) => mode === word) ?? null;
}

export const submissionStatuses = ['queued', 'running', 'done', 'failed', 'cancelled', 'rejected'] as const;
export type SubmissionStatus = (typeof submissionStatuses)[number];

export type JobStatus = 'queued' | 'leased' | 'running' | 'finished' | 'failed' | 'cancelled';

/** Through which door a submission came. `verify`: a known-good one, to see whether a box is in order. */
export const doors = ['discord', 'api', 'rejudge', 'verify'] as const;
export type Door = (typeof doors)[number];

/** Who is looking. Code, secret scores and reports are for the owner and for admins. */
export interface Viewer {
  userId: string;
  isAdmin: boolean;
}

export function maySeePrivate(viewer: Viewer, ownerId: string): boolean {
  return viewer.isAdmin || viewer.userId === ownerId;
}

/** What one job looks like to people. */
export interface JobView {
  jobId: number;
  status: JobStatus;
  passed: boolean | null;
  failure: Failure | null;
  score: number | null;
  progress: { stage: string; state: string; done: number; of: number } | null;
  box: string | null;
  /** Our last trouble with a box, as its kind alone: the full text is for operators. */
  boxErrorKind: string | null;
  attempt: number;
  /** Null unless queued, and where nobody asked the queue. */
  place: Place | null;
  /** What a queued job waits for: boxes of its GPU type that are ready, and those that are offline or taken out of use. */
  boxesReady: number;
  boxesOffline: number;
  sandbox: string | null;
}

export interface GpuResult {
  gpuType: string;
  publicJob: JobView;
  /** Null outside ranked mode. Without its failure: what happened in a secret run is nobody's to read. */
  secretJob: JobView | null;
  publicScore: number | null;
  /** Null too where the viewer may not see it. */
  secretScore: number | null;
  eligible: boolean;
  reason: string | null;
  /** The owner's place on the board now, when this submission is their entry there. */
  rank: number | null;
  /** By the board's rule, where that makes something else of it than a time; null where the viewer may not see it. */
  boardScore?: { score: number | null; unit: string } | null;
  /** Why this submission is not the owner's entry; null while it is. */
  notRanked?: NotRanked | null;
  /** What these jobs and scores come from where that is not the submission's own run: a rejudge that was applied. */
  rejudge?: { id: number; version: number } | null;
}

/** In the place of a leaderboard's name where there is none: no name of a board has a blank. */
export const NO_BOARD = 'no board';

export interface SubmissionView {
  id: number;
  userId: string;
  userName: string;
  /** For which it counts there; null or left out: for its owner alone. */
  teamName?: string | null;
  /** Or NO_BOARD. */
  leaderboard: string;
  fileName: string;
  mode: Mode;
  status: SubmissionStatus;
  reason: string | null;
  /** False: it came after the deadline, and is ranked nowhere. */
  official: boolean;
  createdAt: Date;
  finishedAt: Date | null;
  /** Of public and secret scores; left out: seconds. */
  scoreUnit?: string;
  gpus: GpuResult[];
}

/** The view with the places of its queued jobs filled in. */
export function withPlaces(view: SubmissionView, places: Map<number, Place>): SubmissionView {
  const placed = (job: JobView): JobView => ({ ...job, place: places.get(job.jobId) ?? null });
  return {
    ...view,
    gpus: view.gpus.map((gpu) => ({
      ...gpu,
      publicJob: placed(gpu.publicJob),
      secretJob: gpu.secretJob && placed(gpu.secretJob),
    })),
  };
}

/** Whether a box failed and the attempts are used up: our fault, and a button runs it again. */
export function failedByUs(view: SubmissionView): boolean {
  return view.status === 'failed' && view.gpus.some(isOurs);
}

export function isOurs(gpu: GpuResult): boolean {
  return gpu.publicJob.status === 'failed' || gpu.secretJob?.status === 'failed';
}

/** A line of `/submissions mine` and `/team submissions`. */
export interface SubmissionSummary {
  id: number;
  userId: string;
  leaderboard: string;
  fileName: string;
  mode: Mode;
  status: SubmissionStatus;
  reason: string | null;
  createdAt: Date;
  /** Left out: seconds. */
  scoreUnit?: string;
  gpus: { gpuType: string; publicScore: number | null; secretScore: number | null; eligible: boolean }[];
}

/** One stage that ran. Of a secret run: `result` is empty and the texts are too. */
export interface RunView {
  gpuType: string;
  secret: boolean;
  stage: string;
  mode: string;
  passed: boolean;
  score: number | null;
  startedAt: Date;
  finishedAt: Date;
  exitCode: number | null;
  failure: Failure | null;
  compilation: Compilation | null;
  warmup: Warmup | null;
  profile: Profile | null;
  result: [string, string][];
  stdout: string;
  stderr: string;
  system: SystemInfo;
  sandbox: string;
}

/** Places gained since some moment, lost ones negative; `new`: not ranked then. */
export type RankChange = number | 'new';

/** A line of `/leaderboard show`. Ties share a rank. */
export interface BoardEntry {
  rank: number;
  userId: string;
  userName: string;
  submissionId: number;
  /** Null where it is its owner's alone. */
  score: number | null;
  /** Means over 1, 3 and 7 days; null where the board has no windows or the window is not covered yet. */
  recent: number | null;
  steady: number | null;
  anchor: number | null;
  /** Fewer ranked runs than the board asks for. */
  provisional: boolean;
  achievedAt: Date;
  /** The version of the task that judged it, where that judges by something else than the present one; else null. */
  oldVersion: number | null;
  /** The one that it counts for; null or left out: its owner's own. */
  team?: { id: number; name: string } | null;
}
