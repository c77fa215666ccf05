/** `problem check`: everything that can be said about problems without running them. */
import type { ProblemEntry } from '../domain/task.ts';
import { findProblems, type Selection } from './find-problems.ts';
import { eachOnce, findingText } from './finding.ts';
import { lintPython } from './lint-python.ts';
import { lintTask } from './lint-task.ts';
import { readProblemFiles } from './problem-files.ts';
import { problemList } from './problem-list.ts';
import { counted, styled } from './terminal.ts';
import { command } from './usage.ts';

/** The exit code. Throws UsageError. */
export async function checkProblems(given: string): Promise<number> {
  const selection = await findProblems(given);
  const { root, entries } = selection;
  const problems = await Promise.all(
    entries.map(async (entry) => ({ entry, files: await readProblemFiles(root, entry) })),
  );
  const findings = eachOnce([
    ...selection.findings,
    ...problems.flatMap(({ entry, files }) => lintTask(entry, files, namesOf(selection, entry))),
    ...(await lintPython(
      root,
      problems.map(({ files }) => files),
    )),
  ]);
  const { stdout } = process;
  if (entries.length > 0) stdout.write(`${problemList(selection, stdout)}\n`);
  const faults = findings.filter((finding) => finding.level === 'fault');
  // The faults last: that is what is seen first, above the prompt.
  for (const finding of [...findings.filter((item) => item.level === 'warning'), ...faults]) {
    stdout.write(`\n${await findingText(finding, root, stdout)}\n`);
  }
  const count = counted(findings.length - faults.length, 'warning');
  const verdict =
    faults.length > 0
      ? styled(stdout, ['bold', 'red'], `${counted(faults.length, 'fault')}, ${count}.`)
      : `${styled(stdout, ['bold', 'green'], 'No faults')}, ${count}.`;
  const next = faults.length > 0 ? ' Mend them and check again.' : ` Next: ${command} run ${given} <file>`;
  stdout.write(`\n${verdict}${next}\n`);
  return faults.length > 0 ? 1 : 0;
}

/** The leaderboards of this folder: several may share it. None where no set names it. */
function namesOf({ entries, alone }: Selection, { directory }: ProblemEntry): string[] {
  return alone
    ? []
    : entries.filter((entry) => entry.directory === directory).map((entry) => entry.leaderboard);
}
