/**
 * Which podiums are news. A new one settles for a while, so that several changes in a row are announced as one, and is
 * held against the one that was announced last.
 *
 *   announced = now  --another podium-->  changed_at set  --settled-->  owed in the outbox, announced = now
 *                    <--back as it was--
 *
 * On a board that announces none the podium of now counts as announced: what happened meanwhile is no news later.
 */
import { type PodiumPlace, type PodiumTarget, samePlaces } from '../domain/podium.ts';
import type { ChangeRecord } from './audit.ts';
import type { Db, Sql } from './client.ts';

interface PodiumRow {
  leaderboardId: number;
  gpuType: string;
  isNews: boolean;
  announced: PodiumPlace[];
  standing: PodiumPlace[];
  /** How long it is another one; null: it is not, as far as anybody has looked. */
  standsMs: number | null;
}

/** Owes the announcements that are due. Returns in how many milliseconds the next one is; null: none waits. */
export async function owePodiums(sql: Sql, settleMs: number): Promise<number | null> {
  return sql.begin(async (tx) => {
    // Of two that look at once the second finds nothing left to announce.
    await tx`select pg_advisory_xact_lock(hashtextextended('podiums', 0))`;
    const rows = await tx<PodiumRow[]>`
      select * from (
        select g.leaderboard_id as "leaderboardId", g.gpu_type as "gpuType", hotlap.announces_podium(l) as "isNews",
          coalesce(p.announced, '[]') as announced, hotlap.podium_of(g.leaderboard_id, g.gpu_type) as standing,
          (1000 * extract(epoch from now() - p.changed_at))::float8 as "standsMs"
        from hotlap.leaderboard_gpus g
        join hotlap.leaderboards l on l.id = g.leaderboard_id
        left join hotlap.podiums p on p.leaderboard_id = g.leaderboard_id and p.gpu_type = g.gpu_type
      ) podiums
      where announced <> standing or "standsMs" is not null
      order by "leaderboardId", "gpuType"`;
    const due: PodiumRow[] = [];
    const waitsMs: number[] = [];
    for (const row of rows) {
      if (!row.isNews || samePlaces(row.announced, row.standing)) await savePodium(tx, row, row.standing);
      else if (row.standsMs === null) {
        await noteChange(tx, row);
        waitsMs.push(settleMs);
      } else if (row.standsMs >= settleMs) due.push(row);
      else waitsMs.push(settleMs - row.standsMs);
    }
    for (const [leaderboardId, changes] of Map.groupBy(due, (row) => row.leaderboardId)) {
      await oweAnnouncement(tx, leaderboardId, changes);
      for (const row of changes) await savePodium(tx, row, row.standing);
    }
    return waitsMs.length === 0 ? null : Math.min(...waitsMs);
  });
}

/** As announced. Nothing where the board is deleted in the same moment. */
async function savePodium(tx: Db, row: PodiumRow, announced: PodiumPlace[]): Promise<void> {
  await tx`
    insert into hotlap.podiums (leaderboard_id, gpu_type, announced)
    select id, ${row.gpuType}, ${tx.json(announced.map((place) => ({ ...place })))}
    from hotlap.leaderboards where id = ${row.leaderboardId} for key share
    on conflict (leaderboard_id, gpu_type) do update set announced = excluded.announced, changed_at = null`;
}

async function noteChange(tx: Db, row: PodiumRow): Promise<void> {
  await tx`
    insert into hotlap.podiums (leaderboard_id, gpu_type, changed_at)
    select id, ${row.gpuType}, now() from hotlap.leaderboards where id = ${row.leaderboardId} for key share
    on conflict (leaderboard_id, gpu_type) do update set changed_at = excluded.changed_at`;
}

async function oweAnnouncement(tx: Db, leaderboardId: number, rows: PodiumRow[]): Promise<void> {
  const changes = rows.map(({ gpuType, announced, standing }) => ({
    gpuType,
    before: announced,
    after: standing,
  }));
  await tx`
    insert into hotlap.outbox (kind, dedupe_key, payload)
    values ('podium', 'podium:' || ${leaderboardId}::bigint || ':' || pg_current_xact_id(),
      ${tx.json({ leaderboardId, changes: JSON.parse(JSON.stringify(changes)) })})`;
  await tx`select pg_notify('hotlap_outbox', '')`;
}

/** Where the announcement goes, while it may go anywhere; null: nowhere any more. */
export async function findPodiumTarget(
  db: Db,
  leaderboardId: number,
): Promise<Exclude<PodiumTarget, 'off'> | null> {
  const [row] = await db<{ podium: Exclude<PodiumTarget, 'off'> }[]>`
    select l.podium from hotlap.leaderboards l where l.id = ${leaderboardId} and hotlap.announces_podium(l)`;
  return row?.podium ?? null;
}

/** Null: the board is gone. */
export async function setPodiumTarget(
  sql: Sql,
  leaderboardId: number,
  podium: PodiumTarget,
  record: ChangeRecord,
): Promise<{ changed: boolean } | null> {
  return sql.begin(async (tx) => {
    const [before] = await tx<{ name: string; podium: PodiumTarget }[]>`
      select name, podium from hotlap.leaderboards where id = ${leaderboardId} for update`;
    if (!before) return null;
    if (before.podium === podium) {
      record.settle();
      return { changed: false };
    }
    await tx`
      update hotlap.leaderboards set podium = ${podium}, updated_at = now() where id = ${leaderboardId}`;
    await record.note(tx, {
      subject: `leaderboard ${before.name}`,
      before: { podium: before.podium },
      after: { podium },
    });
    return { changed: true };
  });
}
