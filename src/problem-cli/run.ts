/**
 * `problem run`: a submission on this machine, by the code that a box and its scheduler run.
 *
 *   assignment     file and problem read and checked
 *   this machine   opened as a box, looked at, and closed again whatever happens
 *   runs           the public one and, in ranked mode, the secret one behind it if that passed
 *   report         text for people, or one JSON object
 */
import { CPU_TYPE } from '../domain/box.ts';
import { type Assignment, FaultyProblem, readAssignment, type Wanted } from './assignment.ts';
import { findingText } from './finding.ts';
import { INTERRUPTED, interrupted, listenForInterrupts } from './interrupt.ts';
import { Progress } from './progress.ts';
import { type Report, reportJson, reportText } from './run-report.ts';
import { freshSeed, type RunResult, ThisMachine } from './this-machine.ts';
import { UsageError } from './usage.ts';

export interface RunOptions extends Wanted {
  json: boolean;
}

const PASSED = 0;
const FAILED = 1;

/** The exit code. Throws UsageError, UserError and BoxError: nothing is known about the submission then. */
export async function runProblem(options: RunOptions): Promise<number> {
  const assignment = await assignmentOf(options);
  const progress = new Progress();
  const interrupt = listenForInterrupts(() => progress.begin('ending the job'));
  try {
    const report = await runHere(assignment, progress, interrupt.signal);
    progress.end();
    const { stdout } = process;
    stdout.write(options.json ? `${JSON.stringify(reportJson(report))}\n` : reportText(report, stdout));
    return report.passed ? PASSED : FAILED;
  } catch (error) {
    progress.end();
    if (error !== interrupted) throw error;
    process.stderr.write('interrupted: the job was ended, and nothing of it is left\n');
    if (options.json)
      process.stdout.write(`${JSON.stringify({ error: { text: 'interrupted', next: '' } })}\n`);
    return INTERRUPTED;
  } finally {
    interrupt.stop();
  }
}

async function assignmentOf(options: RunOptions): Promise<Assignment> {
  try {
    return await readAssignment(options);
  } catch (error) {
    if (!(error instanceof FaultyProblem)) throw error;
    const { stderr } = process;
    for (const fault of error.faults) stderr.write(`${await findingText(fault, error.root, stderr)}\n\n`);
    throw new UsageError('The problem has faults, so that nothing can be run.', 'Mend what is said above.');
  }
}

async function runHere(assignment: Assignment, progress: Progress, signal: AbortSignal): Promise<Report> {
  progress.begin('looking at this machine');
  const machine = await ThisMachine.open(signal);
  try {
    return await runAll(machine, assignment, progress, signal);
  } finally {
    progress.begin('cleaning up');
    await machine.close();
  }
}

async function runAll(
  machine: ThisMachine,
  assignment: Assignment,
  progress: Progress,
  signal: AbortSignal,
): Promise<Report> {
  const { source, file, archive, entry, mode } = assignment;
  const gpu = chooseGpu(machine, assignment, progress);
  const { sandbox, sandbox_problem: problem } = machine.probe;
  if (sandbox === 'none') {
    progress.note(
      `without a sandbox: ${problem ?? 'this machine offers none'}. The submission can do what you can.`,
    );
  }
  const ranked = mode === 'leaderboard';
  const seeds = ranked ? [null, freshSeed()] : [null];
  const runs: RunResult[] = [];
  for (const seed of seeds) {
    const order = machine.orderFor({ task: entry.task, mode, code: source, archive, gpu });
    const name = ranked ? (seed === null ? 'public run' : 'secret run') : 'run';
    const result = await machine.run(
      order,
      { task: entry.task, seed, archive },
      progress.listener(name, order),
      signal,
    );
    if (result.outcome.cancelled) throw interrupted;
    runs.push(result);
    if (!result.outcome.passed) break;
  }
  const passed = runs.length === seeds.length && runs.every((run) => run.outcome.passed);
  return { entry, file, mode, gpu, machine: machine.probe, passed, runs };
}

/** The type that this machine has, else the first; a machine of another type will do for trying things. */
function chooseGpu({ gpuTypes }: ThisMachine, { gpus }: Assignment, progress: Progress): string {
  const candidates = gpus.length > 0 ? gpus : gpuTypes;
  const here = gpuTypes.map((type) => type.toLowerCase());
  const found = candidates.find((gpu) => here.includes(gpu.toLowerCase()));
  if (found !== undefined) return found;
  const first = candidates[0] ?? CPU_TYPE;
  progress.note(`this machine has no ${first} (it has: ${gpuTypes.join(', ')}); it is run here all the same`);
  return first;
}
