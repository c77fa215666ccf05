/** `/admin leaderboard`: boards from their making to their end. Creators run their own, admins all. */
import type {
  ChatInputCommandInteraction,
  SlashCommandSubcommandBuilder,
  SlashCommandSubcommandGroupBuilder,
} from 'discord.js';
import { type SettingChange, setDeadline, setLate, setStage } from '../../src/db/board-settings.ts';
import { type Stage, setVisibility } from '../../src/db/invites.ts';
import type { Leaderboard } from '../../src/db/leaderboards.ts';
import { type CommandContext, viewerOf } from '../../src/discord/command.ts';
import { UserError } from '../../src/domain/errors.ts';
import { parseMoment } from '../../src/domain/moment.ts';
import { getManagedBoard } from '../../src/intake/manage-board.ts';
import { timestamp } from '../../src/reports/measure.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';
import { boardOption, choicesFrom, completeManagedBoard } from './board-options.ts';
import type { AdminGroup } from './group.ts';
import { createBoard, createOptions, updateBoard } from './leaderboard-create.ts';
import { deleteOptions, fillDeletion, openDeletion, runDeletion } from './leaderboard-delete.ts';
import { changePodium, podiumOptions } from './leaderboard-podium.ts';
import { pressRanking, ranking, rankingOptions } from './leaderboard-ranking.ts';

const OF_ITS_SET = 'set';
const NONE = 'none';

export const leaderboardGroup: AdminGroup = {
  name: 'leaderboard',

  build: (group) => {
    group.setDescription('Make leaderboards, open and close them');
    const add = (
      name: string,
      description: string,
      more: (sub: SlashCommandSubcommandBuilder) => unknown = () => {},
    ): SlashCommandSubcommandGroupBuilder =>
      group.addSubcommand((sub) => {
        more(boardOption(sub.setName(name).setDescription(description)));
        return sub;
      });
    group.addSubcommand(createOptions);
    add('update', 'Read the problem of a leaderboard again that was made from a directory');
    add('deadline', 'When it ends', (sub) =>
      sub.addStringOption((option) =>
        option
          .setName('deadline')
          .setDescription('2026-12-01 18:00 (UTC), or 3d from now, none, set (as its set says)')
          .setRequired(true)
          .setMaxLength(40)
          .setAutocomplete(true),
      ),
    );
    add('open', 'Take submissions (until the deadline)');
    add('close', 'Take no more submissions; it stays to be read');
    add('archive', 'Close it and leave it out of lists');
    add('visibility', 'Who sees it and may submit', (sub) =>
      sub.addStringOption((option) =>
        option
          .setName('to')
          .setDescription('Who')
          .setRequired(true)
          .addChoices(
            { name: 'public', value: 'public' },
            { name: 'closed: invited alone', value: 'closed' },
          ),
      ),
    );
    add('late', 'What becomes of submissions after the deadline', (sub) =>
      sub.addStringOption((option) =>
        option
          .setName('are')
          .setDescription('What')
          .setRequired(true)
          .addChoices(
            { name: 'refused', value: 'refused' },
            { name: 'run, but unofficial and ranked nowhere', value: 'unofficial' },
          ),
      ),
    );
    return group.addSubcommand(podiumOptions).addSubcommand(rankingOptions).addSubcommand(deleteOptions);
  },

  run: {
    create: createBoard,
    update: updateBoard,
    deadline: changeDeadline,
    open: (interaction, context) => changeStage(interaction, context, 'open'),
    close: (interaction, context) => changeStage(interaction, context, 'closed'),
    archive: (interaction, context) => changeStage(interaction, context, 'archived'),
    visibility: changeVisibility,
    late: changeLate,
    podium: changePodium,
    ranking,
    delete: runDeletion,
  },

  async complete(interaction, context) {
    const { name, value } = interaction.options.getFocused(true);
    if (name === 'leaderboard') return completeManagedBoard(interaction, context, value);
    if (name === 'deadline') return deadlineChoices(value);
    const { sets, directories } = await context.problems.places();
    return choicesFrom(name === 'set' ? sets : directories, value);
  },

  press: pressRanking,
  open: openDeletion,
  fill: fillDeletion,
};

function boardOf(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<Leaderboard> {
  const name = interaction.options.getString('leaderboard', true);
  return getManagedBoard(context.sql, viewerOf(interaction, context), name);
}

/** A board that was deleted by somebody else a moment ago is refused in words. */
function still(change: SettingChange): NonNullable<SettingChange> {
  if (!change) throw new UserError('changed-meanwhile');
  return change;
}

function say(interaction: ChatInputCommandInteraction, title: string, text: string) {
  return interaction.editReply({ embeds: [noticeEmbed(title, text)] });
}

async function changeDeadline(
  interaction: ChatInputCommandInteraction,
  context: CommandContext,
): Promise<void> {
  const board = await boardOf(interaction, context);
  const text = interaction.options.getString('deadline', true).trim().toLowerCase();
  const now = new Date();
  const wanted = text === OF_ITS_SET ? 'of-its-set' : text === NONE ? null : parseMoment(text, now);
  if (wanted === null && text !== NONE) throw new UserError('bad-moment', { text });
  const { changed, before } = still(await setDeadline(context.sql, board.id, wanted, context.record));
  const deadline = wanted === 'of-its-set' ? before.setDeadline : wanted;
  const when =
    deadline === null ? 'none: it stays open' : `${timestamp(deadline, 'F')}, ${timestamp(deadline, 'R')}`;
  const over =
    deadline !== null && deadline <= now
      ? `\nThat has passed: from now on ${before.late === 'unofficial' ? 'submissions are unofficial' : 'nothing is taken'}. \`/admin leaderboard late\` changes that.`
      : '';
  const own =
    wanted === 'of-its-set'
      ? 'As its set says.'
      : 'It stands over what the set says; `deadline:set` gives that back its say.';
  await say(
    interaction,
    changed ? `${board.name} has a new deadline` : `The deadline of ${board.name} is that already`,
    `**Deadline** ${when}\n${own}${over}`,
  );
}

const stageTexts: Record<Stage, { done: string; text: string }> = {
  open: { done: 'is open', text: 'Submissions are taken until the deadline.' },
  closed: {
    done: 'is closed',
    text: 'Nothing new is taken, and what is queued runs to its end. The board stays to be read.',
  },
  archived: {
    done: 'is archived',
    text: 'Nothing new is taken. Lists leave it out; `/leaderboard show` still shows it by its name.',
  },
};

async function changeStage(
  interaction: ChatInputCommandInteraction,
  context: CommandContext,
  stage: Stage,
): Promise<void> {
  const board = await boardOf(interaction, context);
  const { changed, before } = still(await setStage(context.sql, board.id, stage, context.record));
  const { done, text } = stageTexts[stage];
  const isOver = stage === 'open' && before.deadline !== null && before.deadline < new Date();
  const hint = isOver ? ' Its deadline has passed, though: `/admin leaderboard deadline` sets another.' : '';
  await say(interaction, `${board.name} ${done}${changed ? '' : ' already'}`, `${text}${hint}`);
}

async function changeVisibility(
  interaction: ChatInputCommandInteraction,
  context: CommandContext,
): Promise<void> {
  const board = await boardOf(interaction, context);
  const visibility = interaction.options.getString('to', true) === 'closed' ? 'closed' : 'public';
  const change = await setVisibility(context.sql, board.name, visibility, context.record);
  if (!change) throw new UserError('changed-meanwhile');
  if (!change.changed) context.record.settle();
  await say(
    interaction,
    `${board.name} is ${visibility}${change.changed ? '' : ' already'}`,
    visibility === 'public'
      ? 'Everybody sees it and may submit.'
      : 'Only whoever was invited sees it and may submit: `/admin invites create` makes codes. Entries that are there stay.',
  );
}

async function changeLate(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const board = await boardOf(interaction, context);
  const late = interaction.options.getString('are', true) === 'unofficial' ? 'unofficial' : 'refused';
  const { changed } = still(await setLate(context.sql, board.id, late, context.record));
  await say(
    interaction,
    `Late submissions to ${board.name} are ${late}${changed ? '' : ' already'}`,
    late === 'refused'
      ? 'After the deadline nothing is taken. What came late before stays, and stays unofficial.'
      : 'After the deadline submissions run like any other; they are marked unofficial and ranked nowhere.',
  );
}

function deadlineChoices(typed: string) {
  const at = parseMoment(typed, new Date());
  const read = at ? [{ name: `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`, value: typed }] : [];
  const words = [
    { name: 'none: it stays open', value: NONE },
    { name: 'as its set says', value: OF_ITS_SET },
  ];
  return [...read, ...words.filter((choice) => choice.value.startsWith(typed.toLowerCase()))];
}
