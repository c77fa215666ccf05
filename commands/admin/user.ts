/** `/admin user`: keeping somebody from submitting, by every door. */
import type { ChatInputCommandInteraction, SlashCommandSubcommandBuilder } from 'discord.js';
import { banUser, findBan, liftBan, listBans } from '../../src/db/bans.ts';
import { saveUser } from '../../src/db/users.ts';
import type { CommandContext } from '../../src/discord/command.ts';
import { UserError } from '../../src/domain/errors.ts';
import { parseMoment } from '../../src/domain/moment.ts';
import { cut, plain } from '../../src/reports/markdown.ts';
import { timestamp } from '../../src/reports/measure.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';
import type { AdminGroup } from './group.ts';

const SHOWN_BANS = 20;

function who(sub: SlashCommandSubcommandBuilder): SlashCommandSubcommandBuilder {
  return sub
    .addUserOption((option) => option.setName('user').setDescription('Somebody on this server'))
    .addStringOption((option) =>
      option
        .setName('account')
        .setDescription('Or an account by its id, such as github:583231')
        .setMaxLength(100),
    );
}

export const userGroup: AdminGroup = {
  name: 'user',

  build: (group) =>
    group
      .setDescription('Who may submit')
      .addSubcommand((sub) =>
        who(sub.setName('ban').setDescription('Keep somebody from submitting, by every door'))
          .addStringOption((option) =>
            option.setName('reason').setDescription('Why; they read it').setMaxLength(500),
          )
          .addStringOption((option) =>
            option
              .setName('until')
              .setDescription('2026-12-01 18:00 (UTC), or 3d from now; left out: until it is lifted')
              .setMaxLength(40),
          ),
      )
      .addSubcommand((sub) =>
        who(sub.setName('unban').setDescription('Let them submit again')).addStringOption((option) =>
          option.setName('reason').setDescription('Why, for the audit log').setMaxLength(500),
        ),
      )
      .addSubcommand((sub) => sub.setName('bans').setDescription('Who is banned')),

  run: { ban, unban, bans },
};

/** Somebody on the server may be banned before they have ever come; any other account has to be known. */
async function personOf(
  { options }: ChatInputCommandInteraction,
  context: CommandContext,
): Promise<{ id: string; name: string }> {
  const user = options.getUser('user');
  const account = options.getString('account')?.trim();
  if ((user === null) === (account === undefined)) throw new UserError('one-person');
  if (!user) return { id: account ?? '', name: account ?? '' };
  const person = { id: user.id, name: user.displayName };
  await saveUser(context.sql, person);
  return person;
}

async function ban(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const { options } = interaction;
  const text = options.getString('until');
  const until = text === null ? null : parseMoment(text, new Date());
  if (text !== null && until === null) throw new UserError('bad-moment', { text });
  if (until !== null && until <= new Date())
    throw new UserError('moment-passed', { moment: timestamp(until, 'F') });
  const person = await personOf(interaction, context);
  const reason = options.getString('reason')?.trim() || null;
  const before = await findBan(context.sql, person.id);
  const known = await banUser(context.sql, { userId: person.id, reason, endsAt: until }, context.record);
  if (!known) throw new UserError('unknown-person');
  const end = until === null ? 'until it is lifted' : `until ${timestamp(until, 'F')}`;
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        `${plain(person.name)} is banned`,
        [
          `They cannot submit ${end}, neither here nor over HTTP. What they sent stays, and runs to its end.`,
          reason ? `They read: “${plain(reason)}”` : 'They are given no reason.',
          before ? 'An earlier ban was replaced.' : '',
        ]
          .filter((line) => line !== '')
          .join('\n'),
      ),
    ],
  });
}

async function unban(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const person = await personOf(interaction, context);
  const reason = interaction.options.getString('reason')?.trim() || null;
  if (!(await liftBan(context.sql, person.id, context.record, reason))) throw new UserError('not-banned');
  await interaction.editReply({
    embeds: [noticeEmbed(`${plain(person.name)} may submit again`, 'The ban is over. It stays on record.')],
  });
}

async function bans(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const all = await listBans(context.sql);
  const lines = all.slice(0, SHOWN_BANS).map((item) => {
    const end = item.endsAt === null ? '' : `, until ${timestamp(item.endsAt, 'f')}`;
    const reason = item.reason === null ? '' : `: ${plain(cut(item.reason, 100))}`;
    return `**${plain(item.userName)}** (${plain(item.userId)}) since ${timestamp(item.bannedAt, 'R')} by ${plain(item.bannedBy)}${end}${reason}`;
  });
  if (all.length > SHOWN_BANS) lines.push(`and ${all.length - SHOWN_BANS} more`);
  await interaction.editReply({
    embeds: [noticeEmbed('Bans in force', lines.join('\n') || 'Nobody is banned.')],
  });
}
