/** `/admin run`: a file on a box, without a board. The reply then lives on like that of `/submit`. */
import { AttachmentBuilder } from 'discord.js';
import { loadQueue } from '../../src/db/queue.ts';
import { findSubmissionView, listRuns } from '../../src/db/submissions.ts';
import { downloadAttachment } from '../../src/discord/attachment.ts';
import type { CommandContext } from '../../src/discord/command.ts';
import { replyTarget } from '../../src/discord/reply-target.ts';
import { cancelButton } from '../../src/discord/submission-buttons.ts';
import { forecast } from '../../src/domain/eta.ts';
import { ageText } from '../../src/domain/run-configuration.ts';
import { modes, withPlaces } from '../../src/domain/submission.ts';
import { maxBytesOf } from '../../src/intake/archive.ts';
import { acceptRun, examineRun } from '../../src/intake/free-run.ts';
import { reportFile } from '../../src/reports/report-file.ts';
import { submissionEmbed } from '../../src/reports/submission-embed.ts';
import { completeBox, completeProblem, completeServedGpu } from './box-choices.ts';
import type { AdminCommand } from './group.ts';

export const runCommand: AdminCommand = {
  name: 'run',

  build: (sub) =>
    sub
      .setDescription('Run a file on a box, without a board')
      .addAttachmentOption((option) =>
        option.setName('file').setDescription('A submission, or a Python program').setRequired(true),
      )
      .addStringOption((option) =>
        option
          .setName('problem')
          .setDescription('The leaderboard whose problem judges it (default: a program on its own)')
          .setAutocomplete(true),
      )
      .addStringOption((option) =>
        option
          .setName('mode')
          .setDescription('Default: test')
          .addChoices(
            ...modes.filter((mode) => mode !== 'leaderboard').map((mode) => ({ name: mode, value: mode })),
          ),
      )
      .addStringOption((option) => option.setName('gpu').setDescription('GPU type').setAutocomplete(true))
      .addStringOption((option) =>
        option.setName('box').setDescription('The only one that may run it').setAutocomplete(true),
      )
      .addBooleanOption((option) =>
        option.setName('fresh').setDescription('Run a test even where the answer is known'),
      ),

  async run(interaction, context) {
    const { options, user } = interaction;
    const attachment = options.getAttachment('file', true);
    const bytes = await downloadAttachment(attachment, maxBytesOf(attachment.name));
    const wishes = {
      problem: options.getString('problem'),
      mode: options.getString('mode'),
      gpu: options.getString('gpu'),
      box: options.getString('box'),
    };
    const run = await examineRun(context.sql, { name: attachment.name, bytes }, wishes);
    const { id, stored } = await acceptRun(
      context.sql,
      run,
      { user: { id: user.id, name: user.displayName }, door: 'discord', reply: replyTarget(interaction) },
      { fresh: options.getBoolean('fresh') ?? false, runnerHash: context.runs.runnerHash },
    );
    if (stored) {
      context.record.settle();
      const age = ageText(Date.now() - stored.finishedAt.getTime());
      const content = `♻️ **Answered from run #${id}**, ${age}: same code, problem, GPU type and runner. \`fresh: True\` runs it again.`;
      await interaction.editReply({ content, ...(await answerOf(context, id)) });
      return;
    }
    await context.record.note(context.sql, {
      subject: `run ${id}`,
      after: { problem: wishes.problem, mode: run.mode, gpu: run.gpuType, box: run.box?.name ?? null },
    });
    const view = await findSubmissionView(context.sql, id, true);
    // From here on the reply belongs to the announcer, which may already have shown a later state.
    if (view?.status !== 'queued') return;
    const placed = withPlaces(view, forecast(await loadQueue(context.sql)));
    await interaction.editReply({ embeds: [submissionEmbed(placed)], components: [cancelButton(id)] });
  },

  async complete(interaction, context) {
    const { name, value } = interaction.options.getFocused(true);
    if (name === 'box') return completeBox(context, value);
    return name === 'gpu' ? completeServedGpu(context, value) : completeProblem(context, value);
  },
};

/** As the outbox would have delivered it. */
async function answerOf({ sql }: CommandContext, id: number) {
  const [view, runs] = await Promise.all([findSubmissionView(sql, id, true), listRuns(sql, id, true)]);
  if (!view) return {};
  const report = reportFile(view, runs);
  return {
    embeds: [submissionEmbed(view, runs)],
    files: [new AttachmentBuilder(Buffer.from(report.text), { name: report.name })],
  };
}
