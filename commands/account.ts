/** `/account link|show|revoke`: how somebody comes in through the HTTP API. Always ephemeral; a token is shown once. */
import { type ChatInputCommandInteraction, SlashCommandBuilder } from 'discord.js';
import { linkCliByDiscord } from '../src/db/cli-logins.ts';
import { insertPersonalToken, listTokens, revokeTokens } from '../src/db/tokens.ts';
import type { Command, CommandContext, ReadContext } from '../src/discord/command.ts';
import { MAX_OWN_TOKENS, makeToken, ownTokenKinds, tokenHash } from '../src/domain/account.ts';
import { UserError } from '../src/domain/errors.ts';
import { noticeEmbed } from '../src/reports/notice-embed.ts';
import { linkedEmbed, ownTokenEmbed, tokenChoice, tokenListEmbed } from '../src/reports/token-embed.ts';

const ALL = 'all';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export const account: Command = {
  data: new SlashCommandBuilder()
    .setName('account')
    .setDescription('Your command line')
    .addSubcommand((sub) =>
      sub
        .setName('link')
        .setDescription('Get a token for command-line clients, or link one that has registered')
        .addStringOption((option) =>
          option.setName('name').setDescription('What the token is for, such as laptop').setMaxLength(40),
        )
        .addStringOption((option) =>
          option
            .setName('cli_id')
            .setDescription('The id in your own .popcorn.yaml; never one that somebody sent you')
            .setMaxLength(100),
        ),
    )
    .addSubcommand((sub) => sub.setName('show').setDescription('Your tokens and linked command lines'))
    .addSubcommand((sub) =>
      sub
        .setName('revoke')
        .setDescription('Take a token back: it stops working at once')
        .addStringOption((option) =>
          option.setName('token').setDescription('Which one').setRequired(true).setAutocomplete(true),
        ),
    )
    .toJSON(),

  ephemeral: () => true,

  async run(interaction, context) {
    switch (interaction.options.getSubcommand()) {
      case 'link':
        return link(interaction, context);
      case 'show':
        return show(interaction, context);
      case 'revoke':
        return revoke(interaction, context);
    }
  },

  async complete(interaction, context) {
    const typed = interaction.options.getFocused().toLowerCase();
    const tokens = await ownTokens(context, interaction.user.id);
    const choices = tokens.map((token) => ({ name: tokenChoice(token), value: String(token.id) }));
    if (tokens.length > 1) choices.push({ name: `All ${tokens.length}`, value: ALL });
    return choices.filter((choice) => choice.name.toLowerCase().includes(typed));
  },
};

function ownTokens(context: ReadContext, userId: string) {
  return listTokens(context.sql, { kinds: ownTokenKinds, userId });
}

async function link(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const user = { id: interaction.user.id, name: interaction.user.displayName };
  const cliId = interaction.options.getString('cli_id')?.trim().toLowerCase();
  if (cliId !== undefined) {
    await linkRegistered(context, user, cliId);
    await interaction.editReply({ embeds: [linkedEmbed(context.apiUrl)] });
    return;
  }
  const name = interaction.options.getString('name')?.trim() || 'token';
  const token = makeToken();
  const row = { sha256: tokenHash(token), name };
  const id = await insertPersonalToken(context.sql, user, row, context.record);
  if (id === null) throw new UserError('too-many-tokens', { limit: MAX_OWN_TOKENS });
  await interaction.editReply({ embeds: [ownTokenEmbed(token, name, context.apiUrl)] });
}

async function linkRegistered(
  context: CommandContext,
  user: { id: string; name: string },
  cliId: string,
): Promise<void> {
  if (!UUID.test(cliId)) throw new UserError('unknown-cli-id');
  const outcome = await linkCliByDiscord(context.sql, user, tokenHash(cliId), context.record);
  if (outcome === 'full') throw new UserError('too-many-tokens', { limit: MAX_OWN_TOKENS });
  if (outcome === 'unknown-id') throw new UserError('unknown-cli-id');
}

async function show(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const tokens = await ownTokens(context, interaction.user.id);
  const empty = 'You have none. `/account link` gives you one.';
  await interaction.editReply({ embeds: [tokenListEmbed('Your tokens', tokens, empty)] });
}

async function revoke(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const wanted = interaction.options.getString('token', true).trim().replace(/^#/, '');
  const userId = interaction.user.id;
  const id = /^\d{1,15}$/.test(wanted) ? Number(wanted) : undefined;
  const all = wanted.toLowerCase() === ALL;
  const revoked = await context.sql.begin(async (tx) => {
    const which = { kinds: ownTokenKinds, userId, ...(id !== undefined && { id }) };
    const count = all || id !== undefined ? await revokeTokens(tx, which) : 0;
    if (count === 0) throw new UserError('unknown-token', { token: wanted, list: '/account show' });
    const subject = id === undefined ? `user ${userId}` : `token ${id}`;
    await context.record.note(tx, { subject, after: { revoked: count } });
    return count;
  });
  const what = revoked === 1 ? 'The token' : `All ${revoked} tokens`;
  await interaction.editReply({
    embeds: [noticeEmbed('Revoked', `${what} stopped working. What was submitted with it stays.`)],
  });
}
