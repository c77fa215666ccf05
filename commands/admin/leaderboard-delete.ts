/**
 * `/admin leaderboard delete`: all that can be refused is refused before the form opens, the name is typed, and only then is
 * anything touched. What somebody else did in between is found out in the transaction that deletes.
 */
import {
  ActionRowBuilder,
  type ChatInputCommandInteraction,
  type MessageComponentInteraction,
  ModalBuilder,
  type ModalSubmitInteraction,
  type SlashCommandSubcommandBuilder,
  TextInputBuilder,
  TextInputStyle,
} from 'discord.js';
import { countSubmissions } from '../../src/db/board-settings.ts';
import { type CommandContext, type ReadContext, viewerOf } from '../../src/discord/command.ts';
import { UserError } from '../../src/domain/errors.ts';
import { getManagedBoard, getManagedBoardById } from '../../src/intake/manage-board.ts';
import { withdrawLeaderboard } from '../../src/intake/withdraw.ts';
import { cut } from '../../src/reports/markdown.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';
import { boardOption } from './board-options.ts';

export function deleteOptions(sub: SlashCommandSubcommandBuilder): SlashCommandSubcommandBuilder {
  return boardOption(
    sub.setName('delete').setDescription('For good; archive keeps it. You are asked to type its name'),
  ).addBooleanOption((option) =>
    option.setName('force').setDescription('Destroy its submissions as well').setRequired(false),
  );
}

/** `admin:leaderboard:delete:<leaderboard id>:<1 with force>` */
export async function openDeletion(
  interaction: ChatInputCommandInteraction | MessageComponentInteraction,
  _args: string[] | null,
  context: ReadContext,
): Promise<ModalBuilder | null> {
  if (!interaction.isChatInputCommand() || interaction.options.getSubcommand() !== 'delete') return null;
  const name = interaction.options.getString('leaderboard', true);
  const force = interaction.options.getBoolean('force') ?? false;
  const board = await getManagedBoard(context.sql, viewerOf(interaction, context), name);
  const count = await countSubmissions(context.sql, board.id);
  if (count > 0 && !force)
    throw new UserError('leaderboard-has-submissions', { leaderboard: board.name, count });
  const what = count === 0 ? 'It has no submissions' : `${count} submissions go too`;
  const input = (id: string, label: string, style: TextInputStyle) =>
    new TextInputBuilder().setCustomId(id).setLabel(label).setStyle(style);
  const rows = [
    input('name', `Type its name. ${what}`, TextInputStyle.Short)
      .setPlaceholder(cut(board.name, 100))
      .setRequired(true)
      .setMaxLength(100),
    input('reason', 'Why (for the audit log)', TextInputStyle.Paragraph).setRequired(false).setMaxLength(500),
  ];
  return new ModalBuilder()
    .setCustomId(`admin:leaderboard:delete:${board.id}:${force ? 1 : 0}`)
    .setTitle(cut(`Delete ${board.name} for good`, 45))
    .addComponents(rows.map((row) => new ActionRowBuilder<TextInputBuilder>().addComponents(row)));
}

/** The form is the answer to the command. */
export async function runDeletion(): Promise<void> {
  throw new Error('a deletion opens a form');
}

export async function fillDeletion(
  interaction: ModalSubmitInteraction,
  [action, id = '', force]: string[],
  context: CommandContext,
): Promise<void> {
  if (action !== 'delete') throw new UserError('choice-expired');
  const board = await getManagedBoardById(context.sql, viewerOf(interaction, context), Number(id));
  const typed = interaction.fields.getTextInputValue('name').trim();
  if (typed !== board.name) throw new UserError('wrong-confirmation', { expected: board.name });
  const reason = interaction.fields.getTextInputValue('reason').trim() || null;
  const name = await withdrawLeaderboard(
    context.sql,
    board.name,
    { force: force === '1', reason },
    context.record,
  );
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        `${name} is deleted`,
        'Of each submission a line and its code stay on record in the database.',
      ),
    ],
  });
}
