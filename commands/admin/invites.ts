/** `/admin invites`: codes that let people into closed boards. Codes are shown to organisers alone. */
import { AttachmentBuilder, type ChatInputCommandInteraction } from 'discord.js';
import {
  createInvites,
  type Invite,
  listBoardsOfInvite,
  listInvites,
  revokeInvite,
} from '../../src/db/invites.ts';
import { type CommandContext, viewerOf } from '../../src/discord/command.ts';
import { UserError } from '../../src/domain/errors.ts';
import { getManagedBoard, listManagedBoards } from '../../src/intake/manage-board.ts';
import { inviteFile, inviteListEmbed } from '../../src/reports/invite-embed.ts';
import { code, plain } from '../../src/reports/markdown.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';
import { boardOption, completeManagedBoard } from './board-options.ts';
import type { AdminGroup } from './group.ts';

const MAX_CODES = 1000;
/** So many are read in the message itself. */
const SHOWN_CODES = 20;

export const invitesGroup: AdminGroup = {
  name: 'invites',

  build: (group) =>
    group
      .setDescription('Let people into closed leaderboards')
      .addSubcommand((sub) =>
        boardOption(sub.setName('create').setDescription('Codes, each for one person'))
          .addIntegerOption((option) =>
            option.setName('count').setDescription('How many (1)').setMinValue(1).setMaxValue(MAX_CODES),
          )
          .addStringOption((option) =>
            option
              .setName('also')
              .setDescription('Further leaderboards that each code opens, with commas between')
              .setMaxLength(500),
          ),
      )
      .addSubcommand((sub) =>
        boardOption(sub.setName('list').setDescription('The codes of a leaderboard and who has them')),
      )
      .addSubcommand((sub) =>
        sub
          .setName('revoke')
          .setDescription('Take a code back; whoever joined with it is out')
          .addStringOption((option) =>
            option
              .setName('code')
              .setDescription('Which one; type its beginning or a name')
              .setRequired(true)
              .setMaxLength(200)
              .setAutocomplete(true),
          ),
      ),

  run: { create, list, revoke },

  async complete(interaction, context) {
    const { name, value } = interaction.options.getFocused(true);
    if (name === 'leaderboard') return completeManagedBoard(interaction, context, value);
    const choices: { name: string; value: string }[] = [];
    for (const board of await listManagedBoards(context.sql, viewerOf(interaction, context))) {
      for (const invite of await listInvites(context.sql, board.id)) {
        const who = invite.claimedByName ?? 'not used';
        const text = `${invite.code.slice(0, 8)}… · ${board.name} · ${who}`.slice(0, 100);
        if (!`${invite.code} ${text}`.toLowerCase().includes(value.toLowerCase())) continue;
        if (!choices.some((choice) => choice.value === invite.code))
          choices.push({ name: text, value: invite.code });
        if (choices.length === 25) return choices;
      }
    }
    return choices;
  },
};

async function create(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const { options } = interaction;
  const viewer = viewerOf(interaction, context);
  const names = [options.getString('leaderboard', true), ...(options.getString('also') ?? '').split(',')];
  const boards = [];
  for (const name of new Set(names.map((item) => item.trim()).filter((item) => item !== '')))
    boards.push(await getManagedBoard(context.sql, viewer, name));
  const leaderboardIds = [...new Set(boards.map((board) => board.id))];
  const count = options.getInteger('count') ?? 1;
  const codes = await createInvites(context.sql, { leaderboardIds, count }, context.record);
  const open = boards.filter((board) => board.visibility === 'public').map((board) => plain(board.name));
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        count === 1 ? 'An invite code' : `${count} invite codes`,
        [
          ...(count <= SHOWN_CODES ? codes.map(code) : [`All of them are in the file, one on each line.`]),
          '',
          `Each is for one person, and opens ${boards.map((board) => `**${plain(board.name)}**`).join(', ')}. They type \`/join code:…\` here, or \`join\` in a command line.`,
          open.length > 0
            ? `${open.join(', ')} ${open.length === 1 ? 'is' : 'are'} public, so nobody needs one yet: \`/admin leaderboard visibility\` changes that.`
            : '',
        ]
          .join('\n')
          .trim(),
      ),
    ],
    files:
      count > SHOWN_CODES
        ? [new AttachmentBuilder(Buffer.from(`${codes.join('\n')}\n`), { name: 'invites.txt' })]
        : [],
  });
}

async function list(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const name = interaction.options.getString('leaderboard', true);
  const board = await getManagedBoard(context.sql, viewerOf(interaction, context), name);
  const invites: Invite[] = await listInvites(context.sql, board.id);
  const file = inviteFile(invites);
  await interaction.editReply({
    embeds: [inviteListEmbed(board, invites)],
    files:
      invites.length > 0
        ? [new AttachmentBuilder(Buffer.from(file), { name: `invites-${board.name}.csv` })]
        : [],
  });
}

async function revoke(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const wanted = interaction.options.getString('code', true).trim();
  const viewer = viewerOf(interaction, context);
  const boards = await listBoardsOfInvite(context.sql, wanted);
  // One that opens somebody else's board as well is not a creator's alone to take back.
  for (const board of boards) await getManagedBoard(context.sql, viewer, board.name);
  const revoked = boards.length === 0 ? null : await revokeInvite(context.sql, wanted, context.record);
  if (!revoked) throw new UserError('unknown-invite');
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        'The code is revoked',
        revoked.claimedBy === null
          ? 'Nobody had used it, and nobody can.'
          : `<@${revoked.claimedBy}> is no member any more. Submissions that are there stay.`,
      ),
    ],
  });
}
