/** `/admin leaderboard create` and `update`: boards from the problems folder. */
import type { ChatInputCommandInteraction, SlashCommandSubcommandBuilder } from 'discord.js';
import { startBoard } from '../../src/db/board-settings.ts';
import { type CommandContext, viewerOf } from '../../src/discord/command.ts';
import { UserError } from '../../src/domain/errors.ts';
import { parseMoment } from '../../src/domain/moment.ts';
import type { SyncPlan, SyncReport } from '../../src/domain/sync-plan.ts';
import { getManagedBoard } from '../../src/intake/manage-board.ts';
import { code, plain } from '../../src/reports/markdown.ts';
import { timestamp } from '../../src/reports/measure.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';

export function createOptions(sub: SlashCommandSubcommandBuilder): SlashCommandSubcommandBuilder {
  return sub
    .setName('create')
    .setDescription('From a directory of the problems folder, or all that a set has')
    .addStringOption((option) =>
      option.setName('directory').setDescription('With a task.yml').setMaxLength(200).setAutocomplete(true),
    )
    .addStringOption((option) =>
      option
        .setName('set')
        .setDescription('A set: all its problems without a leaderboard')
        .setMaxLength(100)
        .setAutocomplete(true),
    )
    .addStringOption((option) =>
      option.setName('name').setDescription('Of the leaderboard; left out: DIRECTORY-dev').setMaxLength(100),
    )
    .addStringOption((option) =>
      option
        .setName('gpus')
        .setDescription('GPU types, with commas between, for a directory whose task.yml names none')
        .setMaxLength(200),
    )
    .addStringOption((option) =>
      option.setName('deadline').setDescription('2026-12-01 18:00 (UTC), or 3d from now').setMaxLength(40),
    )
    .addBooleanOption((option) => option.setName('closed').setDescription('For invited people alone'));
}

export async function createBoard(
  interaction: ChatInputCommandInteraction,
  context: CommandContext,
): Promise<void> {
  const { options } = interaction;
  const viewer = viewerOf(interaction, context);
  const deadline = readDeadline(options.getString('deadline'));
  const visibility = options.getBoolean('closed') ? ('closed' as const) : ('public' as const);
  const start = { createdBy: viewer.isAdmin ? null : viewer.userId, deadline, visibility };

  const plan = await planOf(interaction, context);
  const made: string[] = [];
  const report = await context.problems.apply(plan, async (tx, created) => {
    for (const board of created) {
      await startBoard(tx, board.id, start);
      made.push(board.name);
      const after = {
        visibility,
        deadline: deadline?.toISOString() ?? 'of its set',
        creator: start.createdBy,
      };
      await context.record.note(tx, { subject: `leaderboard ${board.name}`, after });
    }
  });
  if (made.length === 0) throw new UserError('changed-meanwhile');
  const gpus = [...new Set(plan.problems.flatMap((problem) => problem.entry.gpus))];
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        made.length === 1 ? `${made[0]} is open` : `${made.length} leaderboards are open`,
        [
          made.length > 1 ? made.map(plain).join(', ') : '',
          `**Runs on** ${gpus.map(code).join(' ')}`,
          deadline ? `**Deadline** ${timestamp(deadline, 'F')}, ${timestamp(deadline, 'R')}` : '',
          visibility === 'closed'
            ? '**Closed**: `/admin invites create` makes codes for those who may enter.'
            : '**Public**: everybody sees it and may submit.',
          ...report.warnings.slice(0, 5).map((warning) => `⚠️ ${plain(warning)}`),
        ]
          .filter((line) => line !== '')
          .join('\n'),
      ),
    ],
  });
}

function readDeadline(text: string | null): Date | null {
  if (text === null) return null;
  const deadline = parseMoment(text, new Date());
  if (!deadline) throw new UserError('bad-moment', { text });
  if (deadline <= new Date()) throw new UserError('moment-passed', { moment: timestamp(deadline, 'F') });
  return deadline;
}

/** Only of what is new: what is there is never changed by making something. */
async function planOf({ options }: ChatInputCommandInteraction, context: CommandContext): Promise<SyncPlan> {
  const [directory, set, name] = ['directory', 'set', 'name'].map((option) =>
    options.getString(option)?.trim(),
  );
  const gpus = (options.getString('gpus') ?? '')
    .split(',')
    .map((gpu) => gpu.trim())
    .filter((gpu) => gpu !== '');
  const forOne = name !== undefined || gpus.length > 0;
  if ((directory === undefined) === (set === undefined) || (set !== undefined && forOne))
    throw new UserError('one-place');
  if (directory !== undefined) {
    if (name !== undefined && !/^[A-Za-z0-9_.-]{1,100}$/.test(name))
      throw new UserError('leaderboard-name', { leaderboard: name });
    const plan = await context.problems.planDirectory(directory, { name: name ?? null, gpus });
    const [problem] = plan.problems;
    if (problem?.change !== 'created')
      throw new UserError('leaderboard-exists', { leaderboard: problem?.entry.leaderboard ?? '' });
    return plan;
  }
  const plan = await context.problems.plan(null, { set: set ?? '' });
  if (plan.problems.length === 0) throw new UserError('set-not-read', { set: set ?? '' });
  const created = plan.problems.filter((problem) => problem.change === 'created');
  if (created.length === 0) {
    const refused = plan.refused.length > 0 ? ` Left out for faults: ${plan.refused.length}.` : '';
    throw new UserError('set-has-nothing-new', { set: set ?? '', refused });
  }
  return { ...plan, problems: created };
}

/** Boards of sets are brought up to date by `/admin problems sync`. */
export async function updateBoard(
  interaction: ChatInputCommandInteraction,
  context: CommandContext,
): Promise<void> {
  const name = interaction.options.getString('leaderboard', true);
  const board = await getManagedBoard(context.sql, viewerOf(interaction, context), name);
  if (board.setName !== 'dev')
    throw new UserError('board-of-a-set', { leaderboard: board.name, set: board.setName });
  const plan = await context.problems.planDirectory(board.directory, board);
  const [problem] = plan.problems;
  const isSame = problem?.change === 'unchanged';
  if (isSame) context.record.settle();
  const report = isSame ? null : await context.problems.apply(plan);
  if (report && report.updated.length === 0) throw new UserError('changed-meanwhile');
  const changed = problem?.changes.map((change) => change.key) ?? [];
  if (report)
    await context.record.note(context.sql, { subject: `leaderboard ${board.name}`, after: { changed } });
  await interaction.editReply({
    embeds: [
      report
        ? noticeEmbed(`${board.name} is brought up to date`, updateText(changed, report))
        : noticeEmbed(`${board.name} is up to date`, 'Its problem has not changed.'),
    ],
  });
}

function updateText(changed: string[], report: SyncReport): string {
  const rejudge = report.rejudge[0];
  return [
    `**Changed** ${[...new Set(changed)].map(plain).join(', ')}`,
    rejudge
      ? `${rejudge.ranked} ranked submissions were judged by what is no longer its task: \`/admin rejudge start\` judges them again.`
      : '',
  ]
    .filter((line) => line !== '')
    .join('\n');
}
