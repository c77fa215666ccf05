/** `/admin verify`: a known-good run on every box. */
import { startVerify, watchVerify } from '../../src/intake/verify.ts';
import { verifyEmbed } from '../../src/reports/verify-embed.ts';
import { completeBox, completeProblem } from './box-choices.ts';
import type { AdminCommand } from './group.ts';
import { LiveMessage } from './live-message.ts';

/** Shorter than the reply can be edited. */
const PATIENCE_MS = 12 * 60_000;

export const verifyCommand: AdminCommand = {
  name: 'verify',

  build: (sub) =>
    sub
      .setDescription('A known-good run on every box')
      .addStringOption((option) =>
        option
          .setName('problem')
          .setDescription('A leaderboard’s problem (default: one that fits each box)')
          .setAutocomplete(true),
      )
      .addStringOption((option) =>
        option.setName('box').setDescription('Only this one').setAutocomplete(true),
      ),

  async run(interaction, context) {
    const { options, user } = interaction;
    const wishes = { problem: options.getString('problem'), box: options.getString('box') };
    const sender = { id: user.id, name: user.displayName };
    const started = await startVerify(context.sql, context.runs, wishes, sender);
    await context.record.note(context.sql, {
      subject: wishes.box === null ? 'all boxes' : `box ${wishes.box}`,
      after: { ...wishes, runs: started.flatMap(({ runId }) => runId ?? []) },
    });
    const live = new LiveMessage(interaction);
    const ended = await watchVerify(
      context.sql,
      started,
      (entries) => live.show(verifyEmbed(entries)),
      PATIENCE_MS,
    );
    await live.end(verifyEmbed(ended));
  },

  async complete(interaction, context) {
    const { name, value } = interaction.options.getFocused(true);
    return name === 'box' ? completeBox(context, value) : completeProblem(context, value);
  },
};
