/** `/admin invites list`: for organisers alone, because a code opens its board. */
import type { APIEmbed } from 'discord-api-types/v10';
import { colours } from './colours.ts';
import { code, cut, plain } from './markdown.ts';
import { timestamp } from './measure.ts';

const SHOWN = 15;

export interface InviteView {
  code: string;
  createdAt: Date;
  claimedByName: string | null;
  claimedBy: string | null;
  claimedAt: Date | null;
}

export function inviteListEmbed(
  board: { name: string; visibility: string },
  invites: InviteView[],
): APIEmbed {
  const used = invites.filter((invite) => invite.claimedAt !== null).length;
  const lines = invites.slice(-SHOWN).toReversed().map(line);
  const more = invites.length > SHOWN ? [`and ${invites.length - SHOWN} older ones: see the file`] : [];
  const isOpen = board.visibility === 'public' ? '\nThe board is public: nobody needs a code now.' : '';
  return {
    title: cut(`Invites to ${board.name}`, 256),
    color: colours.running,
    description:
      invites.length === 0
        ? `There is none: \`/admin invites create\` makes some.${isOpen}`
        : cut(`${[...lines, ...more].join('\n')}${isOpen}`, 4096),
    footer: { text: `${invites.length} in all, ${used} used` },
  };
}

function line(invite: InviteView): string {
  const who =
    invite.claimedAt === null
      ? 'not used'
      : `**${plain(invite.claimedByName ?? '?')}**, ${timestamp(invite.claimedAt, 'R')}`;
  return `${code(invite.code)} · ${who}`;
}

/** As a table to open in a spreadsheet. */
export function inviteFile(invites: InviteView[]): string {
  const cell = (text: string | null) => {
    // A spreadsheet would take these beginnings for a formula.
    const safe = (text ?? '').replace(/^[=+\-@\t\r]/, "'$&");
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const rows = invites.map((invite) => [
    invite.code,
    invite.createdAt.toISOString(),
    invite.claimedBy,
    invite.claimedByName,
    invite.claimedAt?.toISOString() ?? null,
  ]);
  const lines = [['code', 'created', 'user_id', 'user_name', 'claimed'], ...rows];
  return `${lines.map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`;
}
