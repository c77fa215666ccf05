/** `/submissions progress` and `/submissions compare`: one's own times, shape by shape. */

import { createTwoFilesPatch } from 'diff';
import { AttachmentBuilder, type ChatInputCommandInteraction } from 'discord.js';
import { listOwnTimedRuns, listTimedRuns, type TimedRun } from '../../src/db/history.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { findSubmissionCode, findSubmissionView } from '../../src/db/submissions.ts';
import type { CommandContext } from '../../src/discord/command.ts';
import { UserError } from '../../src/domain/errors.ts';
import { readBenchmarkLines } from '../../src/domain/result-lines.ts';
import { compareChart, type ShapeTime } from '../../src/reports/charts/compare-chart.ts';
import { progressChart } from '../../src/reports/charts/progress-chart.ts';

/** More would not be told apart on a phone. */
const MOST_SUBMISSIONS = 30;
const DIFF_CONTEXT_LINES = 3;

export async function progress(
  interaction: ChatInputCommandInteraction,
  context: CommandContext,
  board: LeaderboardWithTask,
  gpuType: string,
): Promise<void> {
  const of = { userId: interaction.user.id, leaderboardId: board.id, gpuType };
  const runs = await listOwnTimedRuns(context.sql, of, MOST_SUBMISSIONS);
  const submissions = runs
    .map((run) => ({ id: run.submissionId, shapes: shapeTimes(run) }))
    .filter((item) => item.shapes.length > 0);
  if (submissions.length === 0)
    throw new UserError('nothing-timed', { leaderboard: board.name, gpu: gpuType });
  const picture = progressChart({ leaderboard: board.name, gpuType, submissions });
  await interaction.editReply({
    files: [new AttachmentBuilder(picture, { name: `progress-${board.name}-${gpuType}.png` })],
  });
}

/** Both are the caller's to see: that was checked. */
export async function compare(
  interaction: ChatInputCommandInteraction,
  context: CommandContext,
  a: number,
  b: number,
): Promise<void> {
  const { sql } = context;
  const [first, second] = await Promise.all([a, b].map((id) => findSubmissionView(sql, id, true)));
  if (!first || !second) throw new UserError('unknown-submission', { id: first ? b : a });
  if (first.leaderboard !== second.leaderboard) {
    throw new UserError('different-leaderboards', {
      a,
      b,
      first: first.leaderboard,
      second: second.leaderboard,
    });
  }
  const [runsOfA, runsOfB] = await Promise.all([a, b].map((id) => listTimedRuns(sql, id)));
  const pictures = (runsOfA ?? []).flatMap((run) => {
    const other = runsOfB?.find((each) => each.gpuType === run.gpuType);
    const [ofA, ofB] = [shapeTimes(run), other ? shapeTimes(other) : []];
    if (!ofA.some((shape) => ofB.some((each) => each.spec === shape.spec))) return [];
    const { gpuType } = run;
    const picture = compareChart({
      leaderboard: first.leaderboard,
      gpuType,
      a: { id: a, shapes: ofA },
      b: { id: b, shapes: ofB },
    });
    return [new AttachmentBuilder(picture, { name: `compare-${a}-${b}-${gpuType}.png` })];
  });
  const codes = await Promise.all([a, b].map((id) => findSubmissionCode(sql, id)));
  const [codeA, codeB] = codes.map((code) => code?.listing ?? code?.content.toString('utf8') ?? '');
  const names = [`#${a} ${first.fileName}`, `#${b} ${second.fileName}`] as const;
  const options = { context: DIFF_CONTEXT_LINES };
  const patch = createTwoFilesPatch(
    names[0],
    names[1],
    codeA ?? '',
    codeB ?? '',
    undefined,
    undefined,
    options,
  );
  const isSame = codeA === codeB;
  const lines = [
    pictures.length === 0 ? 'No benchmark shape was timed in both: there is no picture.' : '',
    isSame ? 'The code of both is the same.' : '',
  ].filter((line) => line !== '');
  await interaction.editReply({
    content: lines.join('\n'),
    files: [
      ...pictures,
      ...(isSame ? [] : [new AttachmentBuilder(Buffer.from(patch), { name: `compare-${a}-${b}.diff` })]),
    ],
  });
}

/** Shapes with a time above zero; a board that ranks by something else may have none. */
function shapeTimes(run: TimedRun): ShapeTime[] {
  return readBenchmarkLines(new Map(run.result))
    .filter((shape) => shape.meanNs > 0)
    .map((shape) => ({
      spec: shape.spec,
      seconds: shape.meanNs / 1e9,
      errorSeconds: shape.errNs === null ? null : shape.errNs / 1e9,
    }));
}
