/** `/admin token`: tokens that open the admin routes of the HTTP API, and a look at those of participants. */
import type { ChatInputCommandInteraction } from 'discord.js';
import { insertToken, listTokens, revokeTokens } from '../../src/db/tokens.ts';
import { saveUser } from '../../src/db/users.ts';
import type { CommandContext } from '../../src/discord/command.ts';
import { makeToken, ownTokenKinds, tokenHash, tokenKinds } from '../../src/domain/account.ts';
import { UserError } from '../../src/domain/errors.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';
import { adminTokenEmbed, tokenChoice, tokenListEmbed } from '../../src/reports/token-embed.ts';
import type { AdminGroup } from './group.ts';

export const tokenGroup: AdminGroup = {
  name: 'token',

  build: (group) =>
    group
      .setDescription('Tokens of the HTTP API')
      .addSubcommand((sub) =>
        sub
          .setName('create')
          .setDescription('A new one that opens the admin routes')
          .addStringOption((option) =>
            option.setName('name').setDescription('What it is for').setRequired(true).setMaxLength(40),
          ),
      )
      .addSubcommand((sub) =>
        sub
          .setName('list')
          .setDescription('Admin tokens, or those of one person')
          .addUserOption((option) => option.setName('user').setDescription('Whose')),
      )
      .addSubcommand((sub) =>
        sub
          .setName('revoke')
          .setDescription('Anybody’s token: it stops working at once')
          .addStringOption((option) =>
            option.setName('token').setDescription('Its number').setRequired(true).setAutocomplete(true),
          ),
      ),

  run: { create, list, revoke },

  async complete(interaction, context) {
    const typed = interaction.options.getFocused().toLowerCase();
    const tokens = await listTokens(context.sql, { kinds: ['admin'] });
    return tokens
      .map((token) => ({ name: tokenChoice(token), value: String(token.id) }))
      .filter((choice) => choice.name.toLowerCase().includes(typed));
  },
};

async function create(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const user = { id: interaction.user.id, name: interaction.user.displayName };
  const name = interaction.options.getString('name', true).trim() || 'token';
  const token = makeToken();
  await context.sql.begin(async (tx) => {
    await saveUser(tx, user);
    const row = { kind: 'admin', sha256: tokenHash(token), userId: user.id, name } as const;
    const id = await insertToken(tx, row);
    await context.record.note(tx, { subject: `token ${id}`, after: { kind: 'admin', name } });
  });
  await interaction.editReply({ embeds: [adminTokenEmbed(token, name, context.apiUrl)] });
}

async function list(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const user = interaction.options.getUser('user');
  const tokens = await listTokens(
    context.sql,
    user ? { kinds: ownTokenKinds, userId: user.id } : { kinds: ['admin'] },
  );
  const embed = user
    ? tokenListEmbed(`Tokens of ${user.displayName}`, tokens, 'None works.')
    : tokenListEmbed('Admin tokens', tokens, 'There is none. `/admin token create` makes one.');
  await interaction.editReply({ embeds: [embed] });
}

async function revoke(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const wanted = interaction.options.getString('token', true).trim().replace(/^#/, '');
  const id = /^\d{1,15}$/.test(wanted) ? Number(wanted) : null;
  await context.sql.begin(async (tx) => {
    const revoked = id === null ? 0 : await revokeTokens(tx, { kinds: [...tokenKinds], id });
    if (revoked === 0) throw new UserError('unknown-token', { token: wanted, list: '/admin token list' });
    await context.record.note(tx, { subject: `token ${id}`, after: { revoked: true } });
  });
  await interaction.editReply({ embeds: [noticeEmbed('Revoked', `Token #${id} stopped working.`)] });
}
