/** A ruling as its owner and organisers read it. */
import type { APIEmbed } from 'discord-api-types/v10';
import { mayAppeal, type Ruling, type RulingEvent } from '../domain/ruling.ts';
import { colours } from './colours.ts';
import { code, cut, plain } from './markdown.ts';
import { timestamp } from './measure.ts';

const about = (ruling: Ruling) =>
  `${code(ruling.fileName)} on **${plain(ruling.leaderboard)}**, submission **#${ruling.submissionId}**`;

const quoted = (text: string) => `> ${plain(text).replaceAll('\n', '\n> ')}`;

/** To the owner. */
export function rulingNoticeEmbed(ruling: Ruling, event: RulingEvent): APIEmbed {
  switch (event) {
    case 'invalidated':
      return {
        title: 'A submission of yours was taken out of the rankings',
        color: colours.bad,
        description: cut(
          [
            about(ruling),
            quoted(ruling.reason),
            ruling.evidenceName ? `What this rests on is attached: ${code(ruling.evidenceName)}.` : '',
            'It is ranked nowhere now. Nothing is deleted, and your other submissions stand.',
            mayAppeal(ruling)
              ? 'If you see it differently, press **Appeal** and say why: organisers read it. Once only.'
              : '',
          ]
            .filter((line) => line !== '')
            .join('\n'),
          4096,
        ),
      };
    case 'answered':
      return {
        title: 'Your appeal was read, and the ruling stays',
        color: colours.bad,
        description: cut([about(ruling), quoted(ruling.answer ?? '')].join('\n'), 4096),
      };
    case 'restored':
      return {
        title: 'A submission of yours is back in the rankings',
        color: colours.good,
        description: cut(
          [
            about(ruling),
            ruling.restoreReason ? quoted(ruling.restoreReason) : 'It counts again as before.',
          ].join('\n'),
          4096,
        ),
      };
  }
}

/** To organisers, who have the buttons below it. */
export function appealEmbed(ruling: Ruling): APIEmbed {
  const state =
    ruling.restoredAt !== null
      ? { title: 'Appeal granted', colour: colours.good }
      : ruling.answeredAt !== null
        ? { title: 'Appeal rejected', colour: colours.bad }
        : { title: 'An appeal', colour: colours.ours };
  return {
    title: `${state.title} · #${ruling.submissionId}`,
    color: state.colour,
    description: cut(
      [
        `${about(ruling)} by **${plain(ruling.userName)}**`,
        `**Taken out** ${timestamp(ruling.madeAt, 'R')}\n${quoted(ruling.reason)}`,
        `**What they say**\n${quoted(ruling.appeal ?? '')}`,
        ruling.answer ? `**Answer**\n${quoted(ruling.answer)}` : '',
        ruling.restoredAt ? `**Restored** ${timestamp(ruling.restoredAt, 'R')}` : '',
      ]
        .filter((line) => line !== '')
        .join('\n'),
      4096,
    ),
  };
}

/** The submission's own embed, where one is in force. */
export function withRuling(embed: APIEmbed, ruling: Ruling | null): APIEmbed {
  if (ruling === null) return embed;
  return {
    ...embed,
    title: `Not ranked · #${ruling.submissionId}`,
    color: colours.bad,
    description: cut(`${rulingLine(ruling)}\n${embed.description ?? ''}`, 4096),
  };
}

/** A line for the submission itself. */
function rulingLine(ruling: Pick<Ruling, 'reason' | 'appealedAt' | 'answeredAt'>): string {
  const appeal =
    ruling.answeredAt !== null
      ? ' Your appeal was rejected.'
      : ruling.appealedAt !== null
        ? ' Your appeal waits for an answer.'
        : '';
  return `⛔ **Taken out of the rankings**: ${plain(cut(ruling.reason, 500))}${appeal}`;
}
