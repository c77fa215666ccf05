/** `/leaderboard show|list|task|template`: what everybody may read. */
import {
  AttachmentBuilder,
  type ChatInputCommandInteraction,
  MessageFlags,
  SlashCommandBuilder,
} from 'discord.js';
import { zipSync } from 'fflate';
import { listBoardTops, listTracks } from '../src/db/board.ts';
import type { Sql } from '../src/db/client.ts';
import type { LeaderboardWithTask } from '../src/db/leaderboards.ts';
import { type Command, type CommandContext, viewerOf } from '../src/discord/command.ts';
import {
  completeGpu,
  completeLanguage,
  completeLeaderboard,
  completeTrack,
} from '../src/discord/leaderboard-choices.ts';
import { getVisibleBoard, getVisibleBoardById, listVisibleBoards } from '../src/discord/visible-board.ts';
import { UserError } from '../src/domain/errors.ts';
import { parseSince } from '../src/domain/moment.ts';
import { unitOf } from '../src/domain/ranking-rule.ts';
import { withHeader } from '../src/intake/directives.ts';
import { boardListEmbed, taskEmbed } from '../src/reports/board-embed.ts';
import { boardMessage, ownPlace } from './leaderboard/board-message.ts';
import { boardOptions, history, spread } from './leaderboard/pictures.ts';

export const leaderboard: Command = {
  data: new SlashCommandBuilder()
    .setName('leaderboard')
    .setDescription('Boards, tasks and templates')
    .addSubcommand((sub) =>
      sub
        .setName('show')
        .setDescription('Who is ranked')
        .addStringOption((option) =>
          option.setName('name').setDescription('The leaderboard').setRequired(true).setAutocomplete(true),
        )
        .addStringOption((option) =>
          option.setName('gpu').setDescription('GPU type, or another board of it').setAutocomplete(true),
        )
        .addIntegerOption((option) => option.setName('page').setDescription('Page, from 1').setMinValue(1))
        .addStringOption((option) =>
          option.setName('as_of').setDescription('As it was: 24h or 7d ago, 2026-11-20 18:00 (UTC)'),
        ),
    )
    .addSubcommand((sub) =>
      boardOptions(sub.setName('history').setDescription('Best scores over time, as a picture')),
    )
    .addSubcommand((sub) =>
      boardOptions(sub.setName('spread').setDescription('How the scores are spread, with your place')),
    )
    .addSubcommand((sub) =>
      sub.setName('list').setDescription('All leaderboards, with deadlines and best scores'),
    )
    .addSubcommand((sub) =>
      sub
        .setName('task')
        .setDescription('What to solve: statement, cases, limits, files')
        .addStringOption((option) =>
          option.setName('name').setDescription('The leaderboard').setRequired(true).setAutocomplete(true),
        ),
    )
    .addSubcommand((sub) =>
      sub
        .setName('template')
        .setDescription('A file to start from')
        .addStringOption((option) =>
          option.setName('name').setDescription('The leaderboard').setRequired(true).setAutocomplete(true),
        )
        .addStringOption((option) =>
          option
            .setName('language')
            .setDescription('Template language')
            .setRequired(true)
            .setAutocomplete(true),
        ),
    )
    .toJSON(),

  // One's own place in the spread is nobody else's business.
  ephemeral: (interaction) => ['template', 'spread'].includes(interaction.options.getSubcommand()),

  async run(interaction, context) {
    switch (interaction.options.getSubcommand()) {
      case 'show':
        return show(interaction, context);
      case 'history':
        return picture(interaction, context, history);
      case 'spread':
        return picture(interaction, context, spread);
      case 'list':
        return list(interaction, context);
      case 'task':
        return task(interaction, context);
      case 'template':
        return template(interaction, context);
    }
  },

  async complete(interaction, context) {
    const focused = interaction.options.getFocused(true);
    const name = interaction.options.getString('name');
    const viewer = viewerOf(interaction, context);
    if (focused.name === 'gpu' && interaction.options.getSubcommand() === 'show')
      return completeTrack(context.sql, viewer, name, focused.value);
    if (focused.name === 'gpu') return completeGpu(context.sql, viewer, name, focused.value);
    if (focused.name === 'language') return completeLanguage(context.sql, viewer, name, focused.value);
    return completeLeaderboard(context.sql, viewer, focused.value);
  },

  /**
   * `leaderboard:<user>:<leaderboard id>:<gpu>:<page>:<as of>`, the last in seconds or empty: a name could be longer than a
   * custom id may be. `leaderboard:me:<leaderboard id>:<gpu>` is for everybody, each for themselves.
   */
  async press(interaction, [userId = '', id, gpu = '', page = '0', asOfS = ''], context) {
    const isOwnPlace = userId === 'me';
    if (!isOwnPlace && interaction.user.id !== userId) throw new UserError('not-your-choice');
    const board = await getVisibleBoardById(context.sql, viewerOf(interaction, context), Number(id));
    if (isOwnPlace) {
      const embeds = [await ownPlace(context.sql, board, gpu, interaction.user.id)];
      await interaction.followUp({ embeds, flags: MessageFlags.Ephemeral });
      return;
    }
    const chosen = interaction.isStringSelectMenu() ? (interaction.values[0] ?? gpu) : gpu;
    const asOf = asOfS === '' ? null : new Date(Number(asOfS) * 1000);
    const wanted = { track: chosen, page: Number(page), asOf };
    await interaction.editReply(await boardMessage(context.sql, board, wanted, userId));
  },
};

async function show(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const board = await getVisibleBoard(
    context.sql,
    viewerOf(interaction, context),
    interaction.options.getString('name', true),
  );
  const wanted = interaction.options.getString('gpu');
  const gpu =
    wanted === null ? await busiestGpu(context.sql, board) : await knownTrack(context.sql, board, wanted);
  const page = (interaction.options.getInteger('page') ?? 1) - 1;
  const asOf = momentIn(interaction.options.getString('as_of'));
  const message = await boardMessage(context.sql, board, { track: gpu, page, asOf }, interaction.user.id);
  await interaction.editReply(message);
}

/** To the second, as buttons carry it: every page is of the same moment. Throws UserError for what is no time in the past. */
function momentIn(text: string | null): Date | null {
  if (text === null) return null;
  const now = new Date();
  const at = parseSince(text, now);
  if (at === null || at > now) throw new UserError('bad-since', { since: text });
  return new Date(Math.floor(at.getTime() / 1000) * 1000);
}

async function picture(
  interaction: ChatInputCommandInteraction,
  context: CommandContext,
  draw: typeof history,
): Promise<void> {
  const { board, gpu } = await namedBoard(interaction, context);
  await draw(interaction, context, board, gpu);
}

async function namedBoard(interaction: ChatInputCommandInteraction, context: CommandContext) {
  const board = await getVisibleBoard(
    context.sql,
    viewerOf(interaction, context),
    interaction.options.getString('name', true),
  );
  const wanted = interaction.options.getString('gpu');
  return { board, gpu: wanted === null ? await busiestGpu(context.sql, board) : knownGpu(board, wanted) };
}

/** The GPU type with the most entries: what most people want to see. */
async function busiestGpu(sql: Sql, board: LeaderboardWithTask): Promise<string> {
  const tops = (await listBoardTops(sql)).filter((top) => top.leaderboardId === board.id);
  const entries = (gpu: string) => tops.find((top) => top.gpuType === gpu)?.entries ?? 0;
  return [...board.gpus].sort((a, b) => entries(b) - entries(a))[0] ?? '';
}

function knownGpu(board: LeaderboardWithTask, wanted: string): string {
  const known = board.gpus.find((gpu) => gpu.toLowerCase() === wanted.toLowerCase());
  if (!known)
    throw new UserError('unknown-gpu', { leaderboard: board.name, gpu: wanted, gpus: board.gpus.join(', ') });
  return known;
}

/** A GPU type, a language or a benchmark of one, or a composite. */
async function knownTrack(sql: Sql, board: LeaderboardWithTask, wanted: string): Promise<string> {
  const composites = (board.rule.composites ?? []).map((composite) => composite.name);
  const tracks = [...(await listTracks(sql, board.id)).map((item) => item.track), ...composites];
  return tracks.find((track) => track.toLowerCase() === wanted.toLowerCase()) ?? knownGpu(board, wanted);
}

async function list(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const [boards, tops] = await Promise.all([
    listVisibleBoards(context.sql, viewerOf(interaction, context)),
    listBoardTops(context.sql),
  ]);
  const summaries = boards.map((board) => ({
    name: board.name,
    unit: unitOf(board.rule, board.taskUnit),
    deadline: board.deadline,
    gpus: board.gpus.map((gpuType) => {
      const top = tops.find((item) => item.leaderboardId === board.id && item.gpuType === gpuType);
      return { gpuType, entries: top?.entries ?? 0, bestScore: top?.bestScore ?? null };
    }),
  }));
  await interaction.editReply({ embeds: [boardListEmbed(summaries)] });
}

async function task(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const board = await getVisibleBoard(
    context.sql,
    viewerOf(interaction, context),
    interaction.options.getString('name', true),
  );
  const { description, files, tests, benchmarks } = board.task;
  const texts = Object.entries({
    // In full, where the embed may hold the beginning alone.
    'statement.md': `${description.trimEnd()}\n`,
    'cases/tests.txt': tests.map((line) => `${line}\n`).join(''),
    'cases/benchmarks.txt': benchmarks.map((line) => `${line}\n`).join(''),
    ...templateFiles(board),
    ...files,
  });
  const bundle = zipSync(Object.fromEntries(texts.map(([name, text]) => [name, Buffer.from(text)])));
  const file = new AttachmentBuilder(Buffer.from(bundle), { name: `${board.name}.zip` });
  await interaction.editReply({ embeds: [taskEmbed(board)], files: [file] });
}

/** Beside the files that a run gets; `templates/Python` and the like, so that no name meets another. */
function templateFiles(board: LeaderboardWithTask): Record<string, string> {
  return Object.fromEntries(
    Object.entries(board.task.templates).map(([language, text]) => [
      `templates/${language}/${board.task.submissionFile}`,
      withHeader(text, board),
    ]),
  );
}

async function template(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const board = await getVisibleBoard(
    context.sql,
    viewerOf(interaction, context),
    interaction.options.getString('name', true),
  );
  const wanted = interaction.options.getString('language', true);
  const found = Object.entries(board.task.templates).find(
    ([name]) => name.toLowerCase() === wanted.toLowerCase(),
  );
  if (!found) {
    const languages = Object.keys(board.task.templates).join(', ') || 'none';
    throw new UserError('unknown-template', { leaderboard: board.name, language: wanted, languages });
  }
  const file = new AttachmentBuilder(Buffer.from(withHeader(found[1], board)), {
    name: board.task.submissionFile,
  });
  await interaction.editReply({
    content: `Template for **${board.name}**. Fill it in and attach it to \`/submit\`.`,
    files: [file],
  });
}
