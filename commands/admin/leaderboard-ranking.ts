/** `/admin leaderboard ranking`: how a board ranks. A new rule shows what it would move, and moves it when a person says so. */
import { randomBytes } from 'node:crypto';
import {
  ActionRowBuilder,
  ButtonBuilder,
  ButtonStyle,
  type ChatInputCommandInteraction,
  type MessageComponentInteraction,
  type SlashCommandSubcommandBuilder,
} from 'discord.js';
import { listDrift } from '../../src/db/remeasure.ts';
import { downloadAttachment } from '../../src/discord/attachment.ts';
import { type CommandContext, viewerOf } from '../../src/discord/command.ts';
import { TOKEN_LIFE_MS } from '../../src/discord/reply-target.ts';
import { UserError } from '../../src/domain/errors.ts';
import { unitOf } from '../../src/domain/ranking-rule.ts';
import { scoreUnit } from '../../src/domain/task.ts';
import { getManagedBoard } from '../../src/intake/manage-board.ts';
import {
  applyRule,
  draftRule,
  getRankedBoard,
  MAX_RULE_BYTES,
  type RuleDraft,
} from '../../src/intake/ranking.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';
import { faultsEmbed, previewEmbed, ruleEmbed } from '../../src/reports/ranking-embed.ts';
import { boardOption } from './board-options.ts';

const DRIFT_LINES = 8;

/** Rules that wait for a word. Nothing of them was done: after a restart it is asked again. */
const pending = new Map<string, RuleDraft>();

export function rankingOptions(sub: SlashCommandSubcommandBuilder): SlashCommandSubcommandBuilder {
  return boardOption(
    sub.setName('ranking').setDescription('Shows how a board ranks; with a rule, what that would change'),
  )
    .addStringOption((option) =>
      option
        .setName('rule')
        .setDescription('A new rule as YAML or JSON in one line; `default` for the default')
        .setMaxLength(4000),
    )
    .addAttachmentOption((option) =>
      option.setName('file').setDescription('A new rule as a .yaml or .json file'),
    );
}

/** `admin:leaderboard:apply:<key>` and `admin:leaderboard:drop:<key>` */
export async function pressRanking(
  interaction: MessageComponentInteraction,
  [action, key = '']: string[],
  context: CommandContext,
): Promise<void> {
  const draft = pending.get(key);
  // Taken out before anything is awaited: a double click must not apply twice.
  pending.delete(key);
  if (!draft) throw new UserError('choice-expired');
  if (action === 'apply') return apply(interaction, context, draft);
  await interaction.editReply({
    embeds: [noticeEmbed('Not changed', 'The board ranks as before.')],
    components: [],
  });
}

export async function ranking(
  interaction: ChatInputCommandInteraction,
  context: CommandContext,
): Promise<void> {
  const { options } = interaction;
  const { name } = await getManagedBoard(
    context.sql,
    viewerOf(interaction, context),
    options.getString('leaderboard', true),
  );
  const file = options.getAttachment('file');
  const text = file
    ? Buffer.from(await downloadAttachment(file, MAX_RULE_BYTES)).toString('utf8')
    : options.getString('rule');
  if (text === null) {
    const board = await getRankedBoard(context.sql, name);
    const drift = board.rule.remeasure ? await listDrift(context.sql, board.id, DRIFT_LINES) : [];
    await interaction.editReply({ embeds: [ruleEmbed(board, drift)] });
    return;
  }
  const draft = await draftRule(context.sql, name, text);
  if ('faults' in draft) {
    await interaction.editReply({ embeds: [faultsEmbed(draft.board, draft.faults)] });
    return;
  }
  const key = randomBytes(8).toString('hex');
  pending.set(key, draft);
  setTimeout(() => pending.delete(key), TOKEN_LIFE_MS).unref();
  const button = (action: string, label: string, style: ButtonStyle) =>
    new ButtonBuilder().setCustomId(`admin:leaderboard:${action}:${key}`).setLabel(label).setStyle(style);
  await interaction.editReply({
    embeds: [
      previewEmbed(draft.board, draft.rule, draft.changes, unitOf(draft.rule, scoreUnit(draft.board.task))),
    ],
    components: [
      new ActionRowBuilder<ButtonBuilder>().addComponents(
        button('apply', 'Rank by this rule', ButtonStyle.Success),
        button('drop', 'Leave it as it is', ButtonStyle.Secondary),
      ),
    ],
  });
}

async function apply(
  interaction: MessageComponentInteraction,
  context: CommandContext,
  draft: RuleDraft,
): Promise<void> {
  await applyRule(context.sql, draft, context.record);
  const board = await getRankedBoard(context.sql, draft.board.name);
  await interaction.editReply({ embeds: [ruleEmbed(board, [])], components: [] });
}
