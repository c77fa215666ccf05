/** One board as `/leaderboard show` has it: a page with its buttons, and one's own place on it. */

import { ActionRowBuilder, ButtonBuilder, ButtonStyle, StringSelectMenuBuilder } from 'discord.js';
import type { APIEmbed } from 'discord-api-types/v10';
import {
  countBoardEntries,
  countOutdatedEntries,
  findOwnEntry,
  listBoardEntries,
  listRankChanges,
  listTracks,
} from '../../src/db/board.ts';
import { findKeptMoment, isKeptDaily } from '../../src/db/board-history.ts';
import type { Sql } from '../../src/db/client.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { findTrackUnit, isTrackAscending } from '../../src/db/ranking.ts';
import { findReason } from '../../src/db/standings.ts';
import { pageButtons } from '../../src/discord/page-buttons.ts';
import { BOARD_PAGE, boardEmbed } from '../../src/reports/board-embed.ts';
import { ownPlaceEmbed } from '../../src/reports/own-place-embed.ts';

/** Discord's limits. */
const BUTTONS_A_ROW = 5;
const MENU_OPTIONS = 25;

/** `wanted.track`: a GPU type or another track of the board; `asOf` null: as it is. Only `userId` may turn its pages. */
export async function boardMessage(
  sql: Sql,
  board: LeaderboardWithTask,
  wanted: { track: string; page: number; asOf: Date | null },
  userId: string,
) {
  const { track: gpuType } = wanted;
  const asOf = wanted.asOf && (await findKeptMoment(sql, wanted.asOf));
  const key = { leaderboardId: board.id, gpuType, scoreAscending: board.scoreAscending };
  const read = (page: number) =>
    listBoardEntries(sql, key, { limit: BOARD_PAGE, offset: page * BOARD_PAGE }, asOf);
  let page = wanted.page;
  let { entries, total } = await read(page);
  const lastPage = Math.max(0, Math.ceil(total / BOARD_PAGE) - 1);
  if (page > lastPage) {
    page = lastPage;
    ({ entries, total } = await read(page));
  }
  const now = new Date();
  // Where weeks are kept, nobody knows who moved in a day.
  const isKnown = asOf === null || isKeptDaily(asOf, now);
  const changes = isKnown ? [...(await listRankChanges(sql, key, entries, asOf ?? now))] : [];
  const asOfS = asOf === null ? '' : Math.floor(asOf.getTime() / 1000);
  const customId = (track: string, to: number) => `leaderboard:${userId}:${board.id}:${track}:${to}:${asOfS}`;
  const rows = pageButtons(page, lastPage, (to) => customId(gpuType, to));
  const mine = new ButtonBuilder()
    .setCustomId(`leaderboard:me:${board.id}:${gpuType}`)
    .setLabel('My place')
    .setStyle(ButtonStyle.Primary);
  if (rows[0]) rows[0].addComponents(mine);
  else rows.push(new ActionRowBuilder<ButtonBuilder>().addComponents(mine));
  const tracks = [
    ...new Set([...board.gpus, ...(await listTracks(sql, board.id)).map((item) => item.track)]),
  ];
  const others = tracks.filter((track) => track !== gpuType);
  const otherGpu = others.length > 0 ? [gpuMenu(others, (track) => customId(track, 0))] : [];
  const embed = boardEmbed({
    leaderboard: board.name,
    gpuType,
    deadline: board.deadline,
    scoreAscending: await isTrackAscending(sql, board, gpuType),
    rule: board.rule,
    unit: await findTrackUnit(sql, board, gpuType),
    asOf,
    entries,
    changes: new Map(changes.map(([user, change]) => [user, change.day])),
    total,
    version: board.version,
    // Of what stood then, by a task that may have been another, nothing is compared with the task of now.
    outdated: asOf === null ? await countOutdatedEntries(sql, key) : 0,
    page,
  });
  return { embeds: [embed], components: [...rows, ...otherGpu] };
}

/** Buttons while they fit in a row, a menu beyond that. */
function gpuMenu(
  gpus: string[],
  customId: (track: string) => string,
): ActionRowBuilder<ButtonBuilder | StringSelectMenuBuilder> {
  const row = new ActionRowBuilder<ButtonBuilder | StringSelectMenuBuilder>();
  if (gpus.length <= BUTTONS_A_ROW) {
    return row.addComponents(
      gpus.map((gpu) =>
        new ButtonBuilder().setCustomId(customId(gpu)).setLabel(gpu).setStyle(ButtonStyle.Secondary),
      ),
    );
  }
  return row.addComponents(
    new StringSelectMenuBuilder()
      .setCustomId(customId('-'))
      .setPlaceholder('Another GPU type or board')
      .addOptions(gpus.slice(0, MENU_OPTIONS).map((gpu) => ({ label: gpu, value: gpu }))),
  );
}

/** Where a person stands on a track, or why nowhere and what to do about it. For their eyes: causes are theirs. */
export async function ownPlace(
  sql: Sql,
  board: LeaderboardWithTask,
  track: string,
  userId: string,
): Promise<APIEmbed> {
  const key = { leaderboardId: board.id, gpuType: track };
  const entry = await findOwnEntry(sql, key, userId);
  const about = { leaderboard: board.name, track, minimumRuns: board.rule.minimumRuns ?? 1 };
  if (!entry) {
    const reason = await findReason(sql, { leaderboardId: board.id, track }, userId);
    return ownPlaceEmbed({ ...about, entry: null, reason });
  }
  const [total, unit, changes] = await Promise.all([
    countBoardEntries(sql, key, null),
    findTrackUnit(sql, board, track),
    listRankChanges(sql, key, [entry], new Date()),
  ]);
  const moved = changes.get(entry.userId) ?? { day: 0, week: 0 };
  return ownPlaceEmbed({ ...about, entry: { ...entry, total, unit, ...moved }, reason: null });
}
