/** The problems of a selection, a line each. */
import { join } from 'node:path';
import type { ProblemEntry } from '../domain/task.ts';
import type { Selection } from './find-problems.ts';
import { shownPath } from './finding.ts';
import { counted, styled } from './terminal.ts';

/** Empty where no problem could be loaded. */
export function problemList(selection: Selection, stream: NodeJS.WriteStream): string {
  const { entries, alone } = selection;
  const name = Math.max(...entries.map((entry) => entry.leaderboard.length));
  const directory = Math.max(...entries.map((entry) => entry.directory.length));
  const lines: string[] = [];
  let set = '';
  for (const entry of entries) {
    if (alone) {
      lines.push('No set names this problem, so it is looked at by itself.');
    } else if (entry.set !== set) {
      set = entry.set;
      lines.push(styled(stream, 'bold', shownPath(join(selection.root, `${set}.yaml`))));
    }
    const place = alone ? '' : `${entry.directory.padEnd(directory)}  `;
    lines.push(
      `  ${styled(stream, 'green', entry.leaderboard.padEnd(name))}  ${styled(stream, 'dim', place)}${contents(entry, selection)}`,
    );
  }
  return lines.join('\n');
}

function contents({ task, gpus }: ProblemEntry, { namesGpus }: Selection): string {
  const { serving } = task;
  const parts = [
    ...(serving
      ? [`serves ${serving.modelName}`, counted(serving.shapes.length, 'shape')]
      : [counted(task.tests.length, 'test'), counted(task.benchmarks.length, 'benchmark')]),
    `ranked by ${serving?.metric ?? task.rankingBy}`,
    ...(namesGpus ? [`on ${gpus.join(', ')}`] : []),
  ];
  return parts.join(', ');
}
