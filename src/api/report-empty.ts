/** Why a report is empty, in a sentence that says what there is instead. */
import type { Db } from '../db/client.ts';
import type { LeaderboardWithTask } from '../db/leaderboards.ts';
import { listMeasurements } from '../db/measurements.ts';
import { hasModels, listMetrics, type ReportedSubmission } from '../db/report-models.ts';
import type { SeriesTimes } from '../db/report-series.ts';
import { listStandingsOn } from '../db/standings.ts';
import { modeLabels } from '../domain/submission.ts';
import type { ReportedEntry } from './report-access.ts';
import type { Empty } from './report-bodies.ts';

export function empty(code: string, detail: string): Empty {
  return { code, detail };
}

/** Nobody is there: has anybody sent anything? `gpuType`: null for a composite. */
export async function emptyBoard(
  db: Db,
  board: LeaderboardWithTask,
  track: { name: string; gpuType: string | null },
): Promise<Empty> {
  const where = `'${board.name}'${track.gpuType === null ? '' : ` on ${track.gpuType}`}`;
  if (!(await hasModels(db, { leaderboardId: board.id, gpuType: track.gpuType })))
    return empty('no-submissions', `Nobody has sent a ranked submission for ${where} yet.`);
  const detail = `Nobody is ranked on ${track.name} of '${board.name}'. The same question with standing=not-ranked says why.`;
  return empty('nobody-ranked', detail);
}

/** No run of the board has reported the metric: which ones are there? Null: some run has. */
export async function emptyMetric(
  db: Db,
  board: LeaderboardWithTask,
  metric: string | undefined,
): Promise<Empty> {
  if (metric === undefined) return null;
  const metrics = await listMetrics(db, board.id);
  return metrics.includes(metric) ? null : noMetric(board, metric, metrics);
}

/** The same of metrics that runs report of each benchmark: `shape_0_<metric>`. Null: some run has it. */
export async function emptyShapeMetric(
  db: Db,
  board: LeaderboardWithTask,
  metric: string | undefined,
): Promise<Empty> {
  if (metric === undefined) return null;
  const pattern = /^shape_\d{1,3}_(.*)$/;
  const names = (await listMetrics(db, board.id)).flatMap((name) => pattern.exec(name)?.[1] ?? []);
  const metrics = [...new Set(names)];
  return metrics.includes(metric) ? null : noMetric(board, metric, metrics, ' for each benchmark');
}

function noMetric(board: LeaderboardWithTask, metric: string, metrics: string[], how = ''): Empty {
  const known = metrics.length > 0 ? `There are: ${metrics.join(', ')}` : 'There are none at all';
  const detail = `No run of '${board.name}' has reported ${metric}${how}. ${known}.`;
  return { code: 'unknown-metric', detail, metrics };
}

/** Nothing lies between two times: when is there something? */
export function emptySpan(
  times: SeriesTimes | null,
  span: { from: Date; to: Date },
  otherwise: Empty,
): Empty {
  if (times === null) return otherwise;
  const [first, last, from, to] = [times.first, times.last, span.from, span.to].map((at) => at.toISOString());
  return empty(
    'window-not-covered',
    `There is nothing between ${from} and ${to}, but from ${first} to ${last}.`,
  );
}

/** No observation of an entry is shown: what is it waiting for, or what keeps them back? */
export async function emptyRuns(db: Db, { entry, viewer }: ReportedEntry, passed?: boolean): Promise<Empty> {
  if (entry.mode !== 'leaderboard') return otherMode(entry);
  const { total } = await listMeasurements(db, { submissionId: entry.id, viewer }, { limit: 1 });
  if (total === 0)
    return empty('no-runs', `No run of submission ${entry.id} is shown${(await causeOf(db, entry)) ?? '.'}`);
  const kind = passed === undefined ? 'there' : passed ? 'that passed' : 'that failed';
  return empty('no-such-runs', `Submission ${entry.id} has no run ${kind}, but ${total} in all.`);
}

/** It has never been on its board, or not on that track. */
export async function emptyHistory(db: Db, { entry }: ReportedEntry, track: string | null): Promise<Empty> {
  if (entry.mode !== 'leaderboard') return otherMode(entry);
  const where = track === null ? 'an entry of its board' : `on ${track}`;
  return empty(
    'never-ranked',
    `Submission ${entry.id} has never been ${where}${(await causeOf(db, entry)) ?? '.'}`,
  );
}

function otherMode(entry: ReportedSubmission): Empty {
  const detail = `Submission ${entry.id} was sent in mode ${modeLabels[entry.mode]}; reports are of ranked ones.`;
  return empty('other-mode', detail);
}

/** `: the secret run failed. What to do.`; null: nothing keeps it from the board. */
async function causeOf(db: Db, entry: ReportedSubmission): Promise<string | null> {
  for (const gpuType of entry.gpus) {
    const reason = (await listStandingsOn(db, gpuType, [entry.id])).get(entry.id)?.notRanked;
    if (reason) return `: ${reason.cause}. ${reason.next}`;
  }
  return null;
}
