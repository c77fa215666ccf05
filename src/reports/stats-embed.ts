/** `/admin contest stats`: for organisers. The chart comes as a file beside it. */
import type { APIEmbed } from 'discord-api-types/v10';
import { colours } from './colours.ts';
import { code, cut, FIELD_CHARS, plain } from './markdown.ts';
import { formatSeconds } from './measure.ts';

const SHOWN_GPUS = 10;
const SHOWN_USERS = 8;

export interface Totals {
  submissions: number;
  waiting: number;
  users: number;
  uniqueCodes: number;
}

export interface GpuLine {
  gpu: string;
  jobs: number;
  passed: number;
  maxWaitSeconds: number;
  meanWaitSeconds: number;
  runSeconds: number;
}

export interface StatsView {
  /** Null: all. */
  leaderboard: string | null;
  all: Totals;
  lastDay: Totals;
  /** Of the last day. */
  gpus: GpuLine[];
  /** Who submitted most within the last day. */
  users: { name: string; submissions: number }[];
  /** The name of the file with the chart. */
  chart: string;
}

export function statsEmbed(view: StatsView): APIEmbed {
  const more = (count: number, shown: number) => (count > shown ? [`and ${count - shown} more`] : []);
  const gpus = view.gpus
    .slice(0, SHOWN_GPUS)
    .map(
      ({ gpu, jobs, passed, meanWaitSeconds, maxWaitSeconds, runSeconds }) =>
        `${code(gpu)} **${jobs}** runs, ${percent(passed, jobs)} passed · waited ${duration(meanWaitSeconds)} (at most ${duration(maxWaitSeconds)}) · busy ${duration(runSeconds)}`,
    );
  const users = view.users
    .slice(0, SHOWN_USERS)
    .map((user) => `${plain(cut(user.name, 40))} **${user.submissions}**`);
  return {
    title: cut(view.leaderboard ?? 'The contest', 256),
    color: colours.running,
    fields: [
      { name: 'In all', value: totalsText(view.all), inline: true },
      { name: 'Last 24 hours', value: totalsText(view.lastDay), inline: true },
      {
        name: 'GPU types, last 24 hours',
        value: cut(
          [...gpus, ...more(view.gpus.length, SHOWN_GPUS)].join('\n') || 'Nothing ran.',
          FIELD_CHARS,
        ),
      },
      {
        name: 'Most submissions, last 24 hours',
        value: cut(
          [...users, ...more(view.users.length, SHOWN_USERS)].join(' · ') || 'Nobody submitted.',
          FIELD_CHARS,
        ),
      },
    ],
    image: { url: `attachment://${view.chart}` },
  };
}

function totalsText(totals: Totals): string {
  return [
    `**${totals.submissions}** submissions`,
    `**${totals.users}** people`,
    `**${totals.uniqueCodes}** different files`,
    `**${totals.waiting}** not finished yet`,
  ].join('\n');
}

function percent(part: number, of: number): string {
  return of === 0 ? '–' : `${Math.round((100 * part) / of)} %`;
}

/** Minutes and hours for people; below a minute as every time here. */
function duration(seconds: number): string {
  if (seconds < 60) return formatSeconds(seconds);
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
