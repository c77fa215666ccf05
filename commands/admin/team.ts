/** `/admin team`: which teams there are, how large they may be, and taking a name or a whole team away. */
import type { ChatInputCommandInteraction, SlashCommandSubcommandBuilder } from 'discord.js';
import { findTeamRules, listTeams } from '../../src/db/teams.ts';
import type { CommandContext } from '../../src/discord/command.ts';
import { TEAM_NAME_CHARS, type TeamRules } from '../../src/domain/team.ts';
import { disbandTeam, renameTeam, setTeamRules } from '../../src/intake/teams.ts';
import { plain } from '../../src/reports/markdown.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';
import { TEAM_LIST, teamListEmbed } from '../../src/reports/team-embed.ts';
import { completeTeam } from '../team/choices.ts';
import type { AdminGroup } from './group.ts';

function withTeam(sub: SlashCommandSubcommandBuilder): SlashCommandSubcommandBuilder {
  return sub.addStringOption((option) =>
    option.setName('team').setDescription('Its name').setRequired(true).setAutocomplete(true),
  );
}

function withReason(sub: SlashCommandSubcommandBuilder): SlashCommandSubcommandBuilder {
  return sub.addStringOption((option) =>
    option.setName('reason').setDescription('Why, for the audit log').setMaxLength(500),
  );
}

export const teamGroup: AdminGroup = {
  name: 'team',

  build: (group) =>
    group
      .setDescription('Teams')
      .addSubcommand((sub) =>
        sub
          .setName('list')
          .setDescription('All teams')
          .addIntegerOption((option) => option.setName('page').setDescription('Page, from 1').setMinValue(1)),
      )
      .addSubcommand((sub) =>
        sub
          .setName('rules')
          .setDescription('How large a team may be, and the wait between two; shows what holds')
          .addIntegerOption((option) =>
            option.setName('max_members').setDescription('1: no teams').setMinValue(1).setMaxValue(50),
          )
          .addIntegerOption((option) =>
            option
              .setName('wait_days')
              .setDescription('Before somebody who left a team joins another')
              .setMinValue(0)
              .setMaxValue(365),
          ),
      )
      .addSubcommand((sub) =>
        withReason(
          withTeam(sub.setName('rename').setDescription('Give it another name')).addStringOption((option) =>
            option
              .setName('name')
              .setDescription('The new one')
              .setRequired(true)
              .setMaxLength(TEAM_NAME_CHARS),
          ),
        ),
      )
      .addSubcommand((sub) =>
        withReason(withTeam(sub.setName('disband').setDescription('End it; its members compete alone'))),
      ),

  run: { list, rules, rename, disband },

  complete: (interaction, context) => completeTeam(context.sql, interaction.options.getFocused()),
};

async function list(interaction: ChatInputCommandInteraction, { sql }: CommandContext): Promise<void> {
  const read = (page: number) => listTeams(sql, {}, { limit: TEAM_LIST, offset: page * TEAM_LIST });
  const wanted = (interaction.options.getInteger('page') ?? 1) - 1;
  const asked = await read(wanted);
  // Beyond the last page: the first.
  const [page, found] = asked.teams.length > 0 ? [wanted, asked] : [0, await read(0)];
  await interaction.editReply({ embeds: [teamListEmbed({ ...found, page }, await findTeamRules(sql))] });
}

async function rules(
  interaction: ChatInputCommandInteraction,
  { sql, record }: CommandContext,
): Promise<void> {
  const { options } = interaction;
  const [maxMembers, waitDays] = [options.getInteger('max_members'), options.getInteger('wait_days')];
  const wanted: Partial<TeamRules> = {
    ...(maxMembers !== null && { maxMembers }),
    ...(waitDays !== null && { waitDays }),
  };
  const now = await setTeamRules(sql, wanted, record);
  const size =
    now.maxMembers < 2
      ? 'There are no teams: nobody can start or join one. Those that are there stay until they are disbanded.'
      : `A team has at most ${now.maxMembers} members. One that is larger already stays as it is.`;
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        'Rules for teams',
        `${size}\nWhoever leaves others behind in a team waits ${now.waitDays} days before being in another.`,
      ),
    ],
  });
}

const teamAndReason = ({ options }: ChatInputCommandInteraction) => ({
  team: options.getString('team', true),
  reason: options.getString('reason')?.trim() || null,
});

async function rename(
  interaction: ChatInputCommandInteraction,
  { sql, record }: CommandContext,
): Promise<void> {
  const wanted = interaction.options.getString('name', true);
  const { team, name } = await renameTeam(sql, teamAndReason(interaction), wanted, record);
  await interaction.editReply({
    embeds: [
      noticeEmbed(`${team.name} is now ${name}`, 'Boards show the new name at once, also for the past.'),
    ],
  });
}

async function disband(
  interaction: ChatInputCommandInteraction,
  { sql, record }: CommandContext,
): Promise<void> {
  const team = await disbandTeam(sql, teamAndReason(interaction), record);
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        `${team.name} is disbanded`,
        `Its members compete alone on open boards. Boards that are over keep **${plain(team.name)}**.`,
      ),
    ],
  });
}
