/** `/admin contest export`: everything in one file, secrets only where they are asked for by name. */
import {
  AttachmentBuilder,
  type ChatInputCommandInteraction,
  type SlashCommandSubcommandBuilder,
} from 'discord.js';
import { type CommandContext, viewerOf } from '../../src/discord/command.ts';
import { exportFormats, writeExport } from '../../src/export/write-export.ts';
import { getManagedBoard } from '../../src/intake/manage-board.ts';
import { code } from '../../src/reports/markdown.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';
import { boardOption } from './board-options.ts';

/** What a bot may attach, less a reserve. */
const MAX_ATTACHED_BYTES = 9_500_000;

export function exportOptions(sub: SlashCommandSubcommandBuilder): SlashCommandSubcommandBuilder {
  return boardOption(
    sub.setName('export').setDescription('Submissions, runs, scores and code in one file'),
    false,
  )
    .addStringOption((option) =>
      option
        .setName('format')
        .setDescription('Of the tables (Parquet)')
        .addChoices({ name: 'Parquet', value: 'parquet' }, { name: 'JSON lines', value: 'jsonl' }),
    )
    .addBooleanOption((option) =>
      option.setName('secrets').setDescription('With secret runs, scores and seeds: not to be passed on'),
    );
}

export async function exportContest(
  interaction: ChatInputCommandInteraction,
  context: CommandContext,
): Promise<void> {
  const { options } = interaction;
  const name = options.getString('leaderboard');
  const board =
    name === null ? null : await getManagedBoard(context.sql, viewerOf(interaction, context), name);
  const format = exportFormats.find((item) => item === options.getString('format')) ?? 'parquet';
  const secrets = options.getBoolean('secrets') ?? false;
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(':', '').replace('T', '-');
  const fileName = `hotlap-${board?.name ?? 'contest'}-${stamp}${secrets ? '-secret' : ''}.zip`;
  const { path, bytes, rows } = await writeExport(context.sql, {
    leaderboardIds: board ? [board.id] : null,
    secrets,
    format,
    directory: context.exportsDir,
    fileName,
    title: board ? `Leaderboard ${board.name}` : 'All leaderboards',
  });
  await context.record.note(context.sql, {
    subject: board ? `leaderboard ${board.name}` : 'contest',
    after: { file: fileName, format, secrets, ...rows },
  });
  const attached = bytes <= MAX_ATTACHED_BYTES;
  const size = bytes < 1e6 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        'The export is written',
        [
          `**${rows.submissions}** submissions, **${rows.runs}** runs, **${rows.scores}** scores, **${rows.code}** files of code: ${size}.`,
          secrets ? '⚠️ **With secrets**: keep it to yourselves.' : 'Nothing of secret runs is in it.',
          attached
            ? ''
            : `It is too large to be attached. It lies on the server as ${code(path)}, and an admin token fetches it from \`GET /admin/exports/${fileName}\`.`,
        ]
          .filter((line) => line !== '')
          .join('\n'),
      ),
    ],
    files: attached ? [new AttachmentBuilder(path, { name: fileName })] : [],
  });
}
