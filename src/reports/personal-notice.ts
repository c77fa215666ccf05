/** Notices that a participant asked for, as direct messages; and what `/notify` says of them. */
import type { APIEmbed } from 'discord-api-types/v10';
import { type NoticeKind, noticeKinds, noticeWords } from '../domain/notice.ts';
import { colours } from './colours.ts';
import { cut, plain } from './markdown.ts';
import { formatScore, timestamp } from './measure.ts';
import { ordinal, percentText, person } from './podium-embed.ts';

/** Below every notice. */
export const ASKED_FOR = 'You asked for this: /notify changes it.';
const footer = { text: ASKED_FOR };

export interface OvertakenView {
  leaderboard: string;
  gpuType: string;
  scoreAscending: boolean;
  unit: string;
  rankBefore: number;
  rank: number;
  /** Null where scores are their owners' alone. */
  score: number | null;
  /** Who is right ahead of them now. */
  ahead: { userId: string; userName: string; teamName?: string | null; score: number | null };
}

export function overtakenNotice(view: OvertakenView): APIEmbed {
  const { score, ahead, scoreAscending, unit } = view;
  const gap = score === null || ahead.score === null ? 0 : (scoreAscending ? 1 : -1) * (score - ahead.score);
  const byHow =
    score !== null && ahead.score !== null && gap > 0
      ? ` with **${formatScore(ahead.score, unit)}** against your **${formatScore(score, unit)}**, ${percentText((100 * gap) / Math.abs(score))} better`
      : '';
  return {
    title: cut(`You were overtaken on ${plain(view.leaderboard)} · ${plain(view.gpuType)}`, 256),
    color: colours.running,
    description: [
      `Your entry was ${ordinal(view.rankBefore)} and is **${ordinal(view.rank)}** now.`,
      `Right ahead of you is ${person(ahead)}${byHow}.`,
      `\`/leaderboard show name:${view.leaderboard}\` has them all.`,
    ].join('\n'),
    footer,
  };
}

export interface DeadlineView {
  leaderboard: string;
  deadline: Date;
  /** Their own entries. */
  places: { gpuType: string; rank: number; score: number | null }[];
  unit: string;
}

export function deadlineNotice({ leaderboard, deadline, places, unit }: DeadlineView): APIEmbed {
  const own = places.map(
    ({ gpuType, rank, score }) =>
      `**${plain(gpuType)}** ${ordinal(rank)}${score === null ? '' : `, ${formatScore(score, unit)}`}`,
  );
  return {
    title: cut(`${plain(leaderboard)} ends soon`, 256),
    color: colours.running,
    description: cut(
      [
        `Submissions are taken until ${timestamp(deadline, 'F')}, ${timestamp(deadline, 'R')}. What is accepted by then counts, also when it runs later.`,
        own.length > 0 ? `You are: ${own.join(' · ')}` : 'You are not ranked there yet.',
      ].join('\n'),
      4096,
    ),
    footer,
  };
}

export function quotaNotice(leaderboard: string, isRanked: boolean, maxPerHour: number): APIEmbed {
  return {
    title: cut(`You may submit to ${plain(leaderboard)} again`, 256),
    color: colours.good,
    description: `The limit is ${maxPerHour} ${isRanked ? 'ranked' : 'tests and benchmarks'} an hour, and some of it is yours again. \`/quota\` shows how much.`,
    footer,
  };
}

/** That messages arrive. */
export function testNotice(): APIEmbed {
  return {
    title: 'This is how a notice looks',
    color: colours.good,
    description: 'Messages reach you.',
    footer,
  };
}

export function notifyEmbed(settings: { kinds: NoticeKind[]; unreachableSince: Date | null }): APIEmbed {
  const lines = noticeKinds.map((kind) => {
    const { label, about } = noticeWords[kind];
    return `${settings.kinds.includes(kind) ? '🔔' : '🔕'} **${label}** ${about}`;
  });
  const trouble =
    settings.unreachableSince === null
      ? []
      : [
          '',
          `⚠️ Since ${timestamp(settings.unreachableSince, 'f')} Discord takes no message from Hotlap to you, and nothing is sent. Allow direct messages from members of this server (its menu, *Privacy Settings*), then press **Try again**.`,
        ];
  return {
    title: 'Notices to you',
    color: settings.unreachableSince === null ? colours.running : colours.bad,
    description: [...lines, ...trouble].join('\n'),
    footer: { text: 'They come as direct messages. Choose below what you want to hear of.' },
  };
}
