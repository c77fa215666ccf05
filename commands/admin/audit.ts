/** `/admin audit`: who changed what, and whether that record is whole. */
import { randomBytes } from 'node:crypto';
import { ActionRowBuilder, ButtonBuilder, ButtonStyle } from 'discord.js';
import { type AuditFilter, listAudit, verifyAudit } from '../../src/db/audit.ts';
import type { Sql } from '../../src/db/client.ts';
import { TOKEN_LIFE_MS } from '../../src/discord/reply-target.ts';
import { UserError } from '../../src/domain/errors.ts';
import { commandRules } from '../../src/domain/rules.ts';
import { AUDIT_PAGE, auditListEmbed, auditVerdictEmbed } from '../../src/reports/audit-embed.ts';
import type { AdminGroup } from './group.ts';

const MAX_FILTER = 120;

/** A custom id is too short for a filter. After a restart the list is asked for again. */
const filters = new Map<string, AuditFilter>();

export const auditGroup: AdminGroup = {
  name: 'audit',

  build: (group) =>
    group
      .setDescription('Who changed what')
      .addSubcommand((sub) =>
        sub
          .setName('show')
          .setDescription('Entries, newest first')
          .addUserOption((option) => option.setName('user').setDescription('Only what this person did'))
          .addStringOption((option) =>
            option
              .setName('action')
              .setDescription('Only these: a command, or the beginning of one')
              .setMaxLength(MAX_FILTER)
              .setAutocomplete(true),
          )
          .addStringOption((option) =>
            option
              .setName('subject')
              .setDescription('Only what was done to this: leaderboard matmul, submission 17')
              .setMaxLength(MAX_FILTER),
          ),
      )
      .addSubcommand((sub) =>
        sub.setName('verify').setDescription('Check that nothing was changed or taken out'),
      ),

  run: {
    async show(interaction, { sql }) {
      const { options } = interaction;
      const filter = {
        actor: options.getUser('user')?.id ?? null,
        action: options.getString('action')?.replace(/^\//, '').trim() || null,
        subject: options.getString('subject')?.trim() || null,
      };
      const key = randomBytes(8).toString('hex');
      filters.set(key, filter);
      setTimeout(() => filters.delete(key), TOKEN_LIFE_MS).unref();
      await interaction.editReply(await page(sql, key, filter, null));
    },
    async verify(interaction, { sql }) {
      await interaction.editReply({ embeds: [auditVerdictEmbed(await verifyAudit(sql))] });
    },
  },

  async complete(interaction) {
    const typed = interaction.options.getFocused().toLowerCase();
    const words = Object.entries(commandRules)
      .filter(([, rule]) => rule.changes)
      .map(([name]) => name);
    return words
      .filter((name) => name.includes(typed) && name.length <= MAX_FILTER)
      .map((name) => ({ name, value: name }));
  },

  /** `admin:audit:<key>:<before>`; the newest without a number. */
  async press(interaction, [key = '', before = ''], { sql }) {
    const filter = filters.get(key);
    if (!filter) throw new UserError('choice-expired');
    await interaction.editReply(await page(sql, key, filter, before === '' ? null : Number(before)));
  },
};

async function page(sql: Sql, key: string, filter: AuditFilter, before: number | null) {
  const entries = await listAudit(sql, filter, { limit: AUDIT_PAGE + 1, before });
  const shown = entries.slice(0, AUDIT_PAGE);
  const button = (label: string, customId: string, isOn: boolean) =>
    new ButtonBuilder()
      .setCustomId(customId)
      .setLabel(label)
      .setStyle(ButtonStyle.Secondary)
      .setDisabled(!isOn);
  const hasOlder = entries.length > AUDIT_PAGE;
  const buttons = [
    button('Newest', `admin:audit:${key}:`, before !== null),
    button('Older', `admin:audit:${key}:${shown.at(-1)?.id ?? 0}`, hasOlder),
  ];
  const filtered = filter.actor !== null || filter.action !== null || filter.subject !== null;
  return {
    embeds: [auditListEmbed(shown, filtered)],
    components:
      hasOlder || before !== null ? [new ActionRowBuilder<ButtonBuilder>().addComponents(buttons)] : [],
  };
}
