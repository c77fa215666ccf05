/** `/admin problems`: the problem sets. A sync shows what it would change, and changes it when a person says so. */
import { randomBytes } from 'node:crypto';
import {
  ActionRowBuilder,
  AttachmentBuilder,
  ButtonBuilder,
  ButtonStyle,
  type ChatInputCommandInteraction,
  type MessageComponentInteraction,
} from 'discord.js';
import { downloadAttachment } from '../../src/discord/attachment.ts';
import type { CommandContext } from '../../src/discord/command.ts';
import { TOKEN_LIFE_MS } from '../../src/discord/reply-target.ts';
import { UserError } from '../../src/domain/errors.ts';
import type { ProblemSource } from '../../src/domain/problem-source.ts';
import { hasWork, noteOfSync, type SyncPlan, type SyncReport } from '../../src/domain/sync-plan.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';
import { placeText, planEmbed, planFile, syncEmbed } from '../../src/reports/plan-embed.ts';
import type { AdminGroup } from './group.ts';

const MAX_ARCHIVE_BYTES = 25_000_000;
/** Discord's limits: five rows of five. */
const BUTTONS_A_ROW = 5;
const MAX_REJUDGE_BUTTONS = 20;

/** Plans that wait for a word. Nothing of them was done: after a restart it is planned again. */
const pending = new Map<string, SyncPlan>();

export const problemsGroup: AdminGroup = {
  name: 'problems',
  build: (group) =>
    group.setDescription('The problem sets').addSubcommand((sub) =>
      sub
        .setName('sync')
        .setDescription('Read problems again; shows what would change before it does')
        .addStringOption((option) =>
          option
            .setName('git')
            .setDescription('Address of a repository; left out: the problems folder')
            .setMaxLength(500),
        )
        .addStringOption((option) =>
          option.setName('branch').setDescription('Of the repository: a branch or tag').setMaxLength(200),
        )
        .addStringOption((option) =>
          option.setName('folder').setDescription('Of the repository: where the sets are').setMaxLength(300),
        )
        .addAttachmentOption((option) =>
          option.setName('archive').setDescription('A .zip or .tar.gz with the problems folder'),
        ),
    ),
  run: { sync: planIt },

  /** `admin:problems:apply:<key>` and `admin:problems:drop:<key>` */
  async press(interaction, [action, key = ''], context) {
    const plan = pending.get(key);
    // Taken out before anything is awaited: a double click must not apply twice.
    pending.delete(key);
    if (!plan) throw new UserError('choice-expired');
    if (action === 'apply') return applyIt(interaction, context, plan);
    await interaction.editReply({
      embeds: [noticeEmbed('Not applied', 'Nothing was changed.')],
      components: [],
      files: [],
    });
  },
};

async function planIt(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const plan = await context.problems.plan(await sourceOf(interaction));
  const file = planFile(plan);
  const files = hasWork(plan) ? [new AttachmentBuilder(Buffer.from(file.text), { name: file.name })] : [];
  await interaction.editReply({
    embeds: [planEmbed(plan)],
    files,
    components: hasWork(plan) ? [decisionRow(keep(plan))] : [],
  });
}

async function sourceOf(interaction: ChatInputCommandInteraction): Promise<ProblemSource | null> {
  const { options } = interaction;
  const [url, branch, folder] = ['git', 'branch', 'folder'].map((name) => options.getString(name));
  const archive = options.getAttachment('archive');
  if (archive && url) throw new UserError('two-sources');
  if (!url && (branch || folder)) throw new UserError('no-repository');
  if (archive) {
    const bytes = await downloadAttachment(archive, MAX_ARCHIVE_BYTES);
    return { kind: 'archive', name: archive.name, bytes };
  }
  if (!url) return null;
  return { kind: 'git', url: url.trim(), branch: branch?.trim() ?? null, folder: folder?.trim() ?? null };
}

function keep(plan: SyncPlan): string {
  const key = randomBytes(8).toString('hex');
  pending.set(key, plan);
  setTimeout(() => pending.delete(key), TOKEN_LIFE_MS).unref();
  return key;
}

function decisionRow(key: string): ActionRowBuilder<ButtonBuilder> {
  return new ActionRowBuilder<ButtonBuilder>().addComponents(
    new ButtonBuilder()
      .setCustomId(`admin:problems:apply:${key}`)
      .setLabel('Apply')
      .setStyle(ButtonStyle.Success),
    new ButtonBuilder()
      .setCustomId(`admin:problems:drop:${key}`)
      .setLabel('Cancel')
      .setStyle(ButtonStyle.Secondary),
  );
}

async function applyIt(
  interaction: MessageComponentInteraction,
  context: CommandContext,
  plan: SyncPlan,
): Promise<void> {
  const report = await context.problems.apply(plan);
  await context.record.note(context.sql, noteOfSync(plan, report));
  await interaction.editReply({
    embeds: [syncEmbed(report, placeText(plan.origin, plan.commit))],
    components: rejudgeRows(report),
    files: [],
  });
}

/** One button for each board; `rejudge.ts` reads their custom ids. */
function rejudgeRows({ rejudge }: SyncReport): ActionRowBuilder<ButtonBuilder>[] {
  const buttons = rejudge
    .slice(0, MAX_REJUDGE_BUTTONS)
    .map((board) =>
      new ButtonBuilder()
        .setCustomId(`admin:rejudge:plan:${board.leaderboardId}`)
        .setLabel(`Rejudge ${board.leaderboard}`.slice(0, 80))
        .setStyle(ButtonStyle.Primary),
    );
  const rows: ActionRowBuilder<ButtonBuilder>[] = [];
  for (let at = 0; at < buttons.length; at += BUTTONS_A_ROW) {
    rows.push(new ActionRowBuilder<ButtonBuilder>().addComponents(buttons.slice(at, at + BUTTONS_A_ROW)));
  }
  return rows;
}
