/** `/team`: competing under one name. The rules are in intake/teams.ts. */
import {
  ActionRowBuilder,
  ButtonBuilder,
  ButtonStyle,
  type ChatInputCommandInteraction,
  type MessageComponentInteraction,
  SlashCommandBuilder,
  type SlashCommandSubcommandBuilder,
} from 'discord.js';
import { listSharedSubmissions } from '../src/db/submissions.ts';
import {
  findTeamOf,
  findTeamRules,
  listTeamInvites,
  listTeamMembers,
  listTeamPlaces,
} from '../src/db/teams.ts';
import { type Asking, type Command, type CommandContext, viewerOf } from '../src/discord/command.ts';
import { completeLeaderboard } from '../src/discord/leaderboard-choices.ts';
import { pageButtons } from '../src/discord/page-buttons.ts';
import { getVisibleBoard } from '../src/discord/visible-board.ts';
import { UserError } from '../src/domain/errors.ts';
import { TEAM_NAME_CHARS, type Team } from '../src/domain/team.ts';
import {
  createTeam,
  disbandTeam,
  getTeam,
  inviteToTeam,
  joinTeam,
  leaveTeam,
  removeFromTeam,
  renameTeam,
  setTeamSharing,
} from '../src/intake/teams.ts';
import { plain } from '../src/reports/markdown.ts';
import { noticeEmbed } from '../src/reports/notice-embed.ts';
import { LIST_PAGE, submissionListEmbed } from '../src/reports/submission-list-embed.ts';
import { teamEmbed, teamInviteEmbed, teamSharesEmbed } from '../src/reports/team-embed.ts';
import { completeTeam } from './team/choices.ts';

const SHOWN_PLACES = 10;

type Run = (interaction: ChatInputCommandInteraction, context: CommandContext) => Promise<void>;

const runs: Record<string, Run> = {
  create,
  invite,
  join,
  leave,
  show,
  submissions,
  share,
  rename,
  remove,
  disband,
};

export const team: Command = {
  data: new SlashCommandBuilder()
    .setName('team')
    .setDescription('Compete together: the best entry of a team takes one place')
    .addSubcommand((sub) =>
      withName(
        sub.setName('create').setDescription('Start a team; your entries count for it'),
      ).addBooleanOption((option) =>
        option
          .setName('share')
          .setDescription('Members see each other’s submissions, code included; off by default'),
      ),
    )
    .addSubcommand((sub) =>
      sub
        .setName('invite')
        .setDescription('Ask somebody into your team; they are told in this channel')
        .addUserOption((option) => option.setName('user').setDescription('Whom').setRequired(true)),
    )
    .addSubcommand((sub) =>
      sub
        .setName('join')
        .setDescription('Enter a team that has invited you')
        .addStringOption((option) =>
          option.setName('team').setDescription('Its name').setRequired(true).setAutocomplete(true),
        ),
    )
    .addSubcommand((sub) =>
      sub.setName('leave').setDescription('Go; on open boards your entries count for you alone again'),
    )
    .addSubcommand((sub) =>
      sub
        .setName('show')
        .setDescription('Its members and places')
        .addStringOption((option) =>
          option.setName('team').setDescription('Its name; left out: yours').setAutocomplete(true),
        ),
    )
    .addSubcommand((sub) =>
      sub
        .setName('submissions')
        .setDescription('What your team mates sent, where the team shares it')
        .addStringOption((option) =>
          option.setName('leaderboard').setDescription('Only this one').setAutocomplete(true),
        ),
    )
    .addSubcommand((sub) =>
      sub
        .setName('share')
        .setDescription('Whether members see each other’s submissions')
        .addBooleanOption((option) =>
          option
            .setName('on')
            .setDescription('On: what is sent from now on, code included')
            .setRequired(true),
        ),
    )
    .addSubcommand((sub) => withName(sub.setName('rename').setDescription('Give your team another name')))
    .addSubcommand((sub) =>
      sub
        .setName('remove')
        .setDescription('Take a member out, or an invitation back')
        .addUserOption((option) => option.setName('user').setDescription('Whom').setRequired(true)),
    )
    .addSubcommand((sub) =>
      sub.setName('disband').setDescription('End your team; everybody competes alone again'),
    )
    .toJSON(),

  ephemeral: () => true,

  async run(interaction, context) {
    await runs[interaction.options.getSubcommand()]?.(interaction, context);
  },

  complete(interaction, context) {
    const { name, value } = interaction.options.getFocused(true);
    if (name === 'leaderboard')
      return completeLeaderboard(context.sql, viewerOf(interaction, context), value);
    const isJoin = interaction.options.getSubcommand() === 'join';
    return completeTeam(context.sql, value, isJoin ? interaction.user.id : undefined);
  },

  /** `team:join:<team id>:<user id>` and, for the pages of a list, `team:list:<leaderboard id or ->:<page>`. */
  async press(interaction, [action, first = '', second = ''], context) {
    if (action === 'join') return pressJoin(interaction, Number(first), second, context);
    const leaderboardId = first === '-' ? undefined : Number(first);
    await interaction.editReply(await listMessage(interaction, leaderboardId, Number(second), context));
  },
};

function withName(sub: SlashCommandSubcommandBuilder): SlashCommandSubcommandBuilder {
  return sub.addStringOption((option) =>
    option
      .setName('name')
      .setDescription(`2 to ${TEAM_NAME_CHARS} letters, digits and spaces`)
      .setRequired(true)
      .setMaxLength(TEAM_NAME_CHARS),
  );
}

const personOf = ({ user }: Asking) => ({ id: user.id, name: user.displayName });

async function create(
  interaction: ChatInputCommandInteraction,
  { sql, record }: CommandContext,
): Promise<void> {
  const wanted = {
    name: interaction.options.getString('name', true),
    shares: interaction.options.getBoolean('share') ?? false,
  };
  const made = await createTeam(sql, personOf(interaction), wanted, record);
  const shares = made.sharedSince === null ? 'do not see' : 'see';
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        `${made.name} is there`,
        `You are its founder. \`/team invite\` asks others in. On boards that are still open your entries count for the team from now on; members ${shares} each other’s submissions.`,
      ),
    ],
  });
}

async function invite(
  interaction: ChatInputCommandInteraction,
  { sql, record }: CommandContext,
): Promise<void> {
  const invited = interaction.options.getUser('user', true);
  if (invited.bot || invited.id === interaction.user.id) throw new UserError('cannot-invite');
  const person = { id: invited.id, name: invited.displayName };
  const own = await inviteToTeam(sql, interaction.user.id, person, record);
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        `${person.name} is invited`,
        `The invitation is for them alone and good once. \`/team remove\` takes it back.`,
      ),
    ],
  });
  const button = new ButtonBuilder()
    .setCustomId(`team:join:${own.id}:${invited.id}`)
    .setLabel(`Join ${own.name}`)
    .setStyle(ButtonStyle.Success);
  // A message of its own: an edit would not ring.
  await interaction.followUp({
    content: `<@${invited.id}>`,
    embeds: [teamInviteEmbed(own, interaction.user.id)],
    components: [new ActionRowBuilder<ButtonBuilder>().addComponents(button)],
    allowedMentions: { users: [invited.id] },
  });
}

const joined = (own: Team, userId: string) =>
  noticeEmbed(
    `Welcome to ${own.name}`,
    `<@${userId}> is in the team. On boards that are still open its best entry takes one place from now on.`,
  );

async function join(
  interaction: ChatInputCommandInteraction,
  { sql, record }: CommandContext,
): Promise<void> {
  const wanted = interaction.options.getString('team', true);
  const own = await joinTeam(sql, personOf(interaction), wanted, record);
  await interaction.editReply({ embeds: [joined(own, interaction.user.id)] });
}

async function pressJoin(
  interaction: MessageComponentInteraction,
  teamId: number,
  invitedId: string,
  { sql, record }: CommandContext,
): Promise<void> {
  if (interaction.user.id !== invitedId) throw new UserError('not-your-choice');
  const own = await joinTeam(sql, personOf(interaction), teamId, record);
  await interaction.editReply({ content: '', embeds: [joined(own, invitedId)], components: [] });
}

async function leave(
  interaction: ChatInputCommandInteraction,
  { sql, record }: CommandContext,
): Promise<void> {
  const { team: left, next } = await leaveTeam(sql, interaction.user.id, record);
  const after =
    next === 'ended'
      ? `You were the last one: the team is over, and its name is free.`
      : next === null
        ? ''
        : `<@${next.founderId}> is its founder now.`;
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        `You have left ${left.name}`,
        `On boards that are still open your entries count for you alone. ${after}`.trim(),
      ),
    ],
  });
}

async function show(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const { sql } = context;
  const name = interaction.options.getString('team');
  const own = await findTeamOf(sql, interaction.user.id);
  const shown = name === null ? own : await getTeam(sql, name);
  if (!shown) throw new UserError('no-team');
  const [members, places, invited, rules] = await Promise.all([
    listTeamMembers(sql, shown.id),
    listTeamPlaces(sql, shown.id, viewerOf(interaction, context), SHOWN_PLACES),
    own?.id === shown.id ? listTeamInvites(sql, shown.id) : null,
    findTeamRules(sql),
  ]);
  await interaction.editReply({ embeds: [teamEmbed({ team: shown, members, places, invited, rules })] });
}

async function submissions(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const name = interaction.options.getString('leaderboard');
  const board =
    name === null ? null : await getVisibleBoard(context.sql, viewerOf(interaction, context), name);
  await interaction.editReply(await listMessage(interaction, board?.id, 0, context));
}

async function listMessage(
  interaction: Asking,
  leaderboardId: number | undefined,
  wantedPage: number,
  { sql }: CommandContext,
) {
  const own = await findTeamOf(sql, interaction.user.id);
  if (!own) throw new UserError('no-team');
  const filter = { userId: interaction.user.id, leaderboardId };
  const read = (page: number) =>
    listSharedSubmissions(sql, filter, { limit: LIST_PAGE, offset: page * LIST_PAGE });
  let page = wantedPage;
  let list = await read(page);
  const lastPage = Math.max(0, Math.ceil(list.total / LIST_PAGE) - 1);
  if (page > lastPage) {
    page = lastPage;
    list = await read(page);
  }
  const filtered = leaderboardId !== undefined;
  return {
    embeds: [submissionListEmbed({ ...list, page, filtered, team: own.name })],
    components: pageButtons(page, lastPage, (to) => `team:list:${leaderboardId ?? '-'}:${to}`),
  };
}

async function share(
  interaction: ChatInputCommandInteraction,
  { sql, record }: CommandContext,
): Promise<void> {
  const on = interaction.options.getBoolean('on', true);
  const before = await setTeamSharing(sql, interaction.user.id, on, record);
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        on ? `${before.name} shares` : `${before.name} does not share`,
        on
          ? 'Members see what the others send from now on, with code and secret scores: `/team submissions` lists it. What was sent before stays with its owner.'
          : 'Members see each other’s submissions no more, not those of before either.',
      ),
    ],
  });
  if (!on || before.sharedSince !== null) return;
  // Nobody's work is shown under terms that they have not heard of.
  const members = await listTeamMembers(sql, before.id);
  const others = members.map((member) => member.userId).filter((id) => id !== interaction.user.id);
  if (others.length === 0) return;
  await interaction.followUp({
    content: others.map((id) => `<@${id}>`).join(' '),
    embeds: [teamSharesEmbed(before)],
    allowedMentions: { users: others },
  });
}

async function rename(
  interaction: ChatInputCommandInteraction,
  { sql, record }: CommandContext,
): Promise<void> {
  const wanted = interaction.options.getString('name', true);
  const { name } = await renameTeam(sql, { founderId: interaction.user.id }, wanted, record);
  await interaction.editReply({
    embeds: [noticeEmbed(`Your team is now ${name}`, 'Boards show the new name at once.')],
  });
}

async function remove(
  interaction: ChatInputCommandInteraction,
  { sql, record }: CommandContext,
): Promise<void> {
  const other = interaction.options.getUser('user', true);
  const { team: own, was } = await removeFromTeam(sql, interaction.user.id, other.id, record);
  await interaction.editReply({
    embeds: [
      was === 'member'
        ? noticeEmbed(
            `${other.displayName} is out of ${own.name}`,
            'On boards that are still open their entries count for them alone.',
          )
        : noticeEmbed('The invitation is taken back', `**${plain(other.displayName)}** cannot join with it.`),
    ],
  });
}

async function disband(
  interaction: ChatInputCommandInteraction,
  { sql, record }: CommandContext,
): Promise<void> {
  const own = await disbandTeam(sql, { founderId: interaction.user.id }, record);
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        `${own.name} is disbanded`,
        'On boards that are still open everybody competes alone again. Boards that are over stay as they are.',
      ),
    ],
  });
}
