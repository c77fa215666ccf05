/** One submission in figures: how often it ran, what came of it, and how its benchmarks compare. */
import type { Viewer } from '../domain/submission.ts';
import type { Db } from './client.ts';
import { isShown, measuredValue } from './measurements.ts';
import { shapeValues } from './report-series.ts';

/** Of one GPU type, and of its public or its secret runs. */
export interface RunStats {
  gpuType: string;
  secret: boolean;
  runs: number;
  successful: number;
  /** Runs that measured again. */
  repetitions: number;
  /** How many of the public ones failed, by kind. */
  failures: Record<string, number>;
  firstAt: Date;
  lastAt: Date;
  /** Of the runs that passed and were judged by what the score was judged by; null where none has a value. */
  values: number;
  mean: number | null;
  /** Null below two values. */
  deviation: number | null;
  low: number | null;
  high: number | null;
  latest: number | null;
}

export interface ShapeStats {
  gpuType: string;
  taskVersionId: number;
  /** From 1. */
  shape: number;
  values: number;
  mean: number;
  low: number;
  high: number;
}

interface Of {
  submissionId: number;
  gpuType: string | null;
  viewer: Viewer | null;
  metric: string | null;
}

/** `isComparable`: it passed, and was judged by what the score was judged by. */
const observations = (db: Db, of: Of) => db`
  select m.*, l.ranking, m.passed and m.task_version_id = coalesce(r.task_version_id, s.task_version_id)
    and (m.remeasure is not null or m.rejudge_id is not distinct from sc.rejudge_id) as is_comparable,
    ${of.metric === null ? measuredValue(db, null) : db`case when not m.secret then ${measuredValue(db, of.metric)} end`} as value
  from hotlap.measurements m
  join hotlap.submissions s on s.id = m.submission_id
  join hotlap.leaderboards l on l.id = m.leaderboard_id
  left join hotlap.submission_scores sc on sc.submission_id = m.submission_id and sc.gpu_type = m.gpu_type
  left join hotlap.rejudges r on r.id = sc.rejudge_id
  where m.submission_id = ${of.submissionId} and ${isShown(db, of.viewer)}
    ${of.gpuType === null ? db`` : db`and m.gpu_type = ${of.gpuType}`}`;

/** Sums go through numeric: what fits may not fit when it is summed up. */
export async function listRunStats(db: Db, of: Of): Promise<RunStats[]> {
  return db<RunStats[]>`
    with m as (${observations(db, of)}), failed as (
      select gpu_type, jsonb_object_agg(kind, runs) as kinds from (
        select gpu_type, failure ->> 'kind' as kind, count(*) as runs from m
        where not secret and failure ? 'kind' group by 1, 2
      ) k group by 1
    )
    select m.gpu_type as "gpuType", m.secret, count(*) as runs, count(*) filter (where passed) as successful,
      count(*) filter (where remeasure is not null) as repetitions,
      case when m.secret then '{}' else coalesce((select kinds from failed f where f.gpu_type = m.gpu_type), '{}') end as failures,
      min(measured_at) as "firstAt", max(measured_at) as "lastAt",
      count(value) filter (where is_comparable) as values,
      (avg(value::numeric) filter (where is_comparable))::double precision as mean,
      (stddev_samp(value::numeric) filter (where is_comparable))::double precision as deviation,
      min(value) filter (where is_comparable) as low, max(value) filter (where is_comparable) as high,
      (array_agg(value order by measured_at desc, id desc) filter (where is_comparable and value is not null))[1] as latest
    from m group by m.gpu_type, m.secret order by m.gpu_type, m.secret`;
}

/** Of each benchmark, over the comparable public runs: seconds, or the metric by shape. */
export async function listShapeStats(db: Db, of: Of): Promise<ShapeStats[]> {
  return db<ShapeStats[]>`
    with m as (${observations(db, of)})
    select m.gpu_type as "gpuType", m.task_version_id as "taskVersionId", shapes.shape, count(*) as values,
      avg(shapes.value::numeric)::double precision as mean, min(shapes.value) as low, max(shapes.value) as high
    from m cross join ${shapeValues(db, of.metric)}
    where m.is_comparable and not m.secret and shapes.value is not null
    group by 1, 2, 3 order by 1, 2, 3`;
}
