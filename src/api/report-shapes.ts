/** Values of single benchmarks, beside what each of them runs on. */
import type { z } from 'zod';
import type { Db } from '../db/client.ts';
import { loadTaskVersions } from '../db/leaderboards.ts';
import { benchmarkParams, type Params } from './benchmark-params.ts';
import type { shapeBody } from './report-bodies.ts';

/** Of versions of tasks, by their ids. */
export type ParamsByVersion = Map<number, Params[]>;

export async function loadParams(db: Db, versionIds: (number | null)[]): Promise<ParamsByVersion> {
  const ids = [...new Set(versionIds.filter((id) => id !== null))];
  const versions = ids.length > 0 ? await loadTaskVersions(db, ids) : [];
  return new Map(versions.map((version) => [version.id, benchmarkParams(version.task)]));
}

/** `shape` from 1. Null where the run had more benchmarks than its task says. */
export function paramsOf(params: ParamsByVersion, versionId: number | null, shape: number): Params | null {
  return versionId === null ? null : (params.get(versionId)?.[shape - 1] ?? null);
}

interface MeasuredRun {
  caseSeconds: number[];
  caseErrors: (number | null)[];
  metrics: Record<string, number>;
  taskVersionId: number | null;
}

/** Of one run: the seconds of each benchmark, or what it reports of a metric by shape (`shape_0_<metric>`). */
export function shapeValues(
  run: MeasuredRun,
  metric: string | undefined,
  params: ParamsByVersion,
): z.infer<typeof shapeBody>[] {
  const about = (shape: number) => ({ shape, params: paramsOf(params, run.taskVersionId, shape) });
  if (metric === undefined) {
    return run.caseSeconds.map((value, index) => ({
      ...about(index + 1),
      value,
      error: run.caseErrors[index] ?? null,
    }));
  }
  return Object.entries(run.metrics)
    .flatMap(([name, value]) => {
      const [, number, of] = /^shape_(\d{1,3})_(.*)$/.exec(name) ?? [];
      return of === metric ? [{ ...about(Number(number) + 1), value, error: null }] : [];
    })
    .sort((a, b) => a.shape - b.shape);
}
