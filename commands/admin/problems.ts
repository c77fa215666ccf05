/** `/admin problems`: the problem sets. */
import type { ChatInputCommandInteraction } from 'discord.js';
import type { CommandContext, ProblemSync } from '../../src/discord/command.ts';
import { code } from '../../src/reports/markdown.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';
import type { AdminGroup } from './group.ts';

export const problemsGroup: AdminGroup = {
  name: 'problems',
  build: (group) =>
    group
      .setDescription('The problem sets')
      .addSubcommand((sub) => sub.setName('sync').setDescription('Read the problem folder again')),
  run: { sync: syncProblems },
};

async function syncProblems(
  interaction: ChatInputCommandInteraction,
  context: CommandContext,
): Promise<void> {
  const report = await context.syncProblems();
  await interaction.editReply({ embeds: [noticeEmbed('Problems read', syncText(report))] });
}

function syncText(report: ProblemSync): string {
  const line = (label: string, names: string[]) =>
    names.length > 0 ? [`**${label}** ${names.map(code).join(' ')}`] : [];
  const block = (label: string, texts: string[]) =>
    texts.length > 0
      ? [
          `**${label}**\n${texts
            .slice(0, 10)
            .map((text) => `• ${text}`)
            .join('\n')}`,
        ]
      : [];
  return [
    ...line('Created', report.created),
    ...line('Updated', report.updated),
    ...line('Unchanged', report.unchanged),
    ...block('Left out: mend these and sync again', report.refused),
    ...block('Warnings', report.warnings),
  ].join('\n');
}
