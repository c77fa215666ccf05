/** What is to be run: one file, one problem, one mode, checked as at every door. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { hasCases } from '../domain/job.ts';
import { type Mode, modeLabels } from '../domain/submission.ts';
import type { ProblemEntry } from '../domain/task.ts';
import { isArchiveName, listArchive } from '../intake/archive.ts';
import { type Directives, readDirectives } from '../intake/directives.ts';
import { checkAgainstBoard, chooseGpus, readSource } from '../intake/validate.ts';
import { findProblems, type Selection } from './find-problems.ts';
import type { Finding } from './finding.ts';
import { UsageError } from './usage.ts';

export interface Wanted {
  dir: string;
  file: string;
  mode: Mode;
  /** Null: the problem's, and this machine's where it has one of them. */
  gpu: string | null;
}

export interface Assignment {
  /** The submission's text, and its name without folders. */
  source: string;
  file: string;
  /** The submission, where it is no text. */
  archive: Buffer | null;
  entry: ProblemEntry;
  mode: Mode;
  /** Any of these may be run as; none: nobody says which. */
  gpus: string[];
}

/** The problem that is meant cannot be loaded. */
export class FaultyProblem extends Error {
  override name = 'FaultyProblem';
  readonly root: string;
  readonly faults: Finding[];

  constructor({ root, findings }: Selection) {
    super('the problem has faults');
    this.root = root;
    this.faults = findings.filter((finding) => finding.level === 'fault');
  }
}

/** Throws UsageError, UserError and FaultyProblem. */
export async function readAssignment(wanted: Wanted): Promise<Assignment> {
  const { dir, mode } = wanted;
  const file = basename(wanted.file);
  const bytes = await readFile(wanted.file).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${wanted.file} cannot be read (${error.code}).`, 'Name the file of a submission.');
  });
  const isArchive = isArchiveName(file);
  const source = isArchive ? '' : readSource({ name: file, bytes });
  const directives = readDirectives(source);
  const selection = await findProblems(dir);
  const entry = chooseEntry(selection, directives.leaderboard, wanted);
  const { leaderboard: name, gpus: known, task } = entry;
  const facts = { name, deadline: null, stage: 'open', late: 'refused', gpus: known, task } as const;
  checkAgainstBoard(file, facts, new Date());
  if (isArchive) await listArchive({ name: file, bytes }, entry.task);
  if (!hasCases(entry.task, mode)) {
    throw new UsageError(
      `The problem has no cases for mode ${modeLabels[mode]}.`,
      'Add some to tests or benchmarks of its task.yml, or choose another mode.',
    );
  }
  const gpus = selection.namesGpus
    ? chooseGpuTypes(facts, directives, wanted.gpu)
    : [wanted.gpu ?? []].flat();
  return { source, file, archive: isArchive ? bytes : null, entry, mode, gpus };
}

function chooseEntry(selection: Selection, named: string | null, { dir, file }: Wanted): ProblemEntry {
  const { entries, findings, alone } = selection;
  const first = entries[0];
  const found = entries.find((entry) => entry.leaderboard.toLowerCase() === named?.toLowerCase());
  if (found) return found;
  const isFaulty = findings.some((finding) => finding.level === 'fault');
  // One that is named and not there may be one of those with a fault.
  if (first === undefined || (named !== null && isFaulty)) throw new FaultyProblem(selection);
  // One folder under several names is one problem.
  const isOne = entries.every((entry) => entry.directory === first.directory);
  if (isOne && (named === null || alone)) return first;
  const names = entries.map((entry) => entry.leaderboard).join(', ');
  const next = `Name the folder of the problem, and on the first line of the file "#!POPCORN leaderboard NAME" with one of: ${names}.`;
  throw named === null
    ? new UsageError(`${dir} holds several problems, and ${file} does not say which of them it is for.`, next)
    : new UsageError(`${file} is for the leaderboard ${named}, and ${dir} holds none of that name.`, next);
}

/** Throws UserError for a type that the problem does not have. An option wins over the file's header. */
function chooseGpuTypes(
  facts: Parameters<typeof chooseGpus>[2],
  directives: Directives,
  option: string | null,
): string[] {
  const choice =
    option === null
      ? chooseGpus({ leaderboard: null, gpus: [], mode: null }, directives, facts)
      : chooseGpus({ leaderboard: null, gpus: [option], mode: null }, { ...directives, gpus: [] }, facts);
  return 'gpus' in choice ? choice.gpus : choice.askAmong;
}
