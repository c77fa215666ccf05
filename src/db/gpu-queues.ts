/**
 * The queue per GPU type in numbers: for the API's queue objects and for metrics. What is judged or measured again waits
 * for idle times, behind everybody: it is not counted as waiting.
 */
import type { Db } from './client.ts';

export interface GpuQueue {
  /** As boards or boxes spell it. */
  gpu: string;
  queued: number;
  running: number;
  /** Slots of boxes that can be reached. */
  slots: number;
  /** How long the oldest queued job has waited, in seconds; 0 where none waits. */
  oldestSeconds: number;
}

/** Every type that some board or box knows, by name. */
export async function listGpuQueues(db: Db): Promise<GpuQueue[]> {
  return db<GpuQueue[]>`
    with known as (
      select lower(gpu_type) as gpu, min(gpu_type) as name from (
        select gpu_type from hotlap.leaderboard_gpus
        union all select unnest(gpu_types) from hotlap.boxes where state <> 'removed'
      ) types group by 1
    ), open as (
      select lower(gpu_type) as gpu,
        count(*) filter (where status = 'queued' and rejudge_id is null and remeasure is null) as queued,
        count(*) filter (where status in ('leased', 'running')) as running,
        extract(epoch from now() - min(created_at)
          filter (where status = 'queued' and rejudge_id is null and remeasure is null))::float8 as oldest
      from hotlap.jobs where status in ('queued', 'leased', 'running') group by 1
    ), offered as (
      select lower(g) as gpu, count(*) filter (where b.state = 'ready') as slots
      from hotlap.boxes b, jsonb_array_elements(b.lanes) lane, jsonb_array_elements_text(lane -> 'gpus') g
      where b.state <> 'removed' group by 1
      union all
      select lower(t), count(*) filter (where b.state = 'ready')
      from hotlap.boxes b, unnest(b.whole_types) t where b.state <> 'removed' group by 1
    ), offers as (
      select gpu, sum(slots)::bigint as slots from offered group by 1
    )
    select k.name as gpu, coalesce(o.queued, 0) as queued, coalesce(o.running, 0) as running,
      coalesce(f.slots, 0) as slots, coalesce(o.oldest, 0) as "oldestSeconds"
    from known k left join open o using (gpu) left join offers f using (gpu) order by k.gpu`;
}
