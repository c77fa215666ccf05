/** A podium that has changed: who stands where now, whom they have passed, and by how much. */
import type { APIEmbed } from 'discord-api-types/v10';
import { findHolder, isSameHolder, type PodiumChange, type PodiumPlace } from '../domain/podium.ts';
import { colours } from './colours.ts';
import { cut, plain } from './markdown.ts';
import { formatScore } from './measure.ts';

const medals = ['🥇', '🥈', '🥉'];
const MAX_GPUS = 6;

export interface PodiumNews {
  leaderboard: string;
  scoreAscending: boolean;
  unit: string;
  changes: PodiumChange[];
}

export function podiumEmbed(news: PodiumNews): APIEmbed {
  const [only, another] = news.changes;
  const blocks = news.changes.slice(0, MAX_GPUS).map((change) => podiumText(news, change));
  const more = news.changes.length > MAX_GPUS ? [`and ${news.changes.length - MAX_GPUS} more GPU types`] : [];
  return {
    title: cut(only && !another ? titleOf(news, only) : `🏆 New podiums on ${plain(news.leaderboard)}`, 256),
    color: colours.podium,
    description: cut(
      [
        ...blocks.map((text, index) =>
          another ? `**${plain(news.changes[index]?.gpuType ?? '')}**\n${text}` : text,
        ),
        ...more,
      ].join('\n\n'),
      4096,
    ),
    footer: {
      text: `${news.scoreAscending ? 'lower' : 'higher'} is better · /leaderboard show name:${news.leaderboard}`,
    },
  };
}

function titleOf({ leaderboard }: PodiumNews, { gpuType, before, after }: PodiumChange): string {
  const where = `${plain(leaderboard)} · ${plain(gpuType)}`;
  const leader = after[0];
  if (!leader || after[1]?.rank === 1 || (before[0] && isSameHolder(leader, before[0])))
    return `🏆 New podium on ${where}`;
  const name = plain(cut(leader.teamName ?? leader.userName, 60));
  return before.length === 0 ? `🏆 ${name} opens ${where}` : `🏆 ${name} leads ${where}`;
}

function podiumText(news: PodiumNews, change: PodiumChange): string {
  const { before, after } = change;
  const lines = after.map((place) => placeLine(news, change, place));
  const off = before.filter((place) => !findHolder(after, place));
  const left = off.map((place) => `${person(place)} (was ${ordinal(place.rank)})`);
  return [
    ...(lines.length > 0 ? lines : ['Nobody is ranked any more.']),
    ...(left.length > 0 ? [`Off the podium: ${left.join(', ')}`] : []),
  ].join('\n');
}

function placeLine(news: PodiumNews, change: PodiumChange, place: PodiumPlace): string {
  const medal = medals[place.rank - 1] ?? `**${place.rank}.**`;
  return [
    `${medal} ${person(place)} **${formatScore(place.score, news.unit)}**${gap(change.after[0], place)}`,
    ...(place.provisional ? ['provisional'] : []),
    ...moveText(news, change, place),
  ].join(' · ');
}

/** From the first place: ` (+7.8 %)` */
function gap(leader: PodiumPlace | undefined, { score }: PodiumPlace): string {
  if (!leader?.score || score === null || score === leader.score) return '';
  const percent = (100 * (score - leader.score)) / Math.abs(leader.score);
  return ` (${percent > 0 ? '+' : '−'}${percentText(Math.abs(percent))})`;
}

function moveText(news: PodiumNews, { before, after }: PodiumChange, place: PodiumPlace): string[] {
  const old = findHolder(before, place);
  if (old && old.rank < place.rank) return [`▼ from ${ordinal(old.rank)}`];
  if (old && old.rank === place.rank) return [];
  const from = old ? `▲ from ${ordinal(old.rank)}` : before.length === 0 ? '' : 'new here';
  const past = passed(before, after, place);
  const by = past ? margin(news, place, past) : '';
  // Whoever is out of sight and was better has been taken out.
  const isPast = past && (by !== '' || after.includes(past));
  const words = [...(from === '' ? [] : [from]), ...(isPast ? [`past ${person(past)}${by}`] : [])];
  return words.length > 0 ? [words.join(', ')] : [];
}

/** Who stood on that place, or the next one that is now behind; with their score of now where they are still in sight. */
function passed(before: PodiumPlace[], after: PodiumPlace[], place: PodiumPlace): PodiumPlace | null {
  const rankOf = (podium: PodiumPlace[], wanted: PodiumPlace) =>
    findHolder(podium, wanted)?.rank ?? Number.POSITIVE_INFINITY;
  const rankBefore = rankOf(before, place);
  const first = before.find(
    (other) =>
      !isSameHolder(other, place) &&
      other.rank >= place.rank &&
      other.rank <= rankBefore &&
      rankOf(after, other) > place.rank,
  );
  if (!first) return null;
  return findHolder(after, first) ?? first;
}

/** Empty where the one is not better by the scores that are shown. */
function margin({ scoreAscending, unit }: PodiumNews, winner: PodiumPlace, loser: PodiumPlace): string {
  if (winner.score === null || loser.score === null) return '';
  const ahead = (scoreAscending ? 1 : -1) * (loser.score - winner.score);
  if (ahead <= 0) return '';
  return ` by ${formatScore(ahead, unit)} (${percentText((100 * ahead) / Math.abs(loser.score))})`;
}

/** Two digits are enough to say how close it is. */
export function percentText(percent: number): string {
  return `${percent >= 10 ? percent.toFixed(0) : Number(percent.toPrecision(2))} %`;
}

/** Accounts of other providers than Discord cannot be mentioned. Of a team its name, and who made the entry. */
export function person(who: { userId: string; userName: string; teamName?: string | null }): string {
  const { userId, userName, teamName } = who;
  const name = /^\d+$/.test(userId) ? `<@${userId}>` : `**${plain(cut(userName, 60))}**`;
  return teamName ? `**${plain(teamName)}** (${name})` : name;
}

/** 1st, 2nd, 3rd, 11th, 21st */
export function ordinal(rank: number): string {
  const ending = { one: 'st', two: 'nd', few: 'rd', other: 'th', zero: 'th', many: 'th' };
  return `${rank}${ending[ordinals.select(rank)]}`;
}
const ordinals = new Intl.PluralRules('en', { type: 'ordinal' });
