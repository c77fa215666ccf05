/** `node src/main.ts problem ...`: the arguments, and how every way to end becomes an exit code. A verb is loaded when it is asked for. */
import { inspect, parseArgs } from 'node:util';
import { BoxError, boxErrorRemedies } from '../domain/box-error.ts';
import { UserError } from '../domain/errors.ts';
import { modes, parseMode } from '../domain/submission.ts';
import { printable, styled } from './terminal.ts';
import { command, UsageError, usage } from './usage.ts';

/** Wrong usage, or a fault of ours or of this machine. */
const NO_VERDICT = 2;

/** `args` are those behind `problem`. Prints everything there is to say and returns the exit code. */
export async function problemCommand(args: string[]): Promise<number> {
  const json = args.includes('--json');
  try {
    // npm runs its scripts in the repository's folder; paths mean those of the folder that it was called in.
    if (process.env.npm_lifecycle_event === 'problem') process.chdir(process.env.INIT_CWD ?? '.');
    return await dispatch(args);
  } catch (error) {
    const { text, next } = explain(error);
    process.stderr.write(`${styled(process.stderr, ['bold', 'red'], 'error')}  ${printable(text)}\n`);
    if (next !== '')
      process.stderr.write(`  ${styled(process.stderr, 'cyan', 'to do:')} ${printable(next)}\n`);
    if (json) process.stdout.write(`${JSON.stringify({ error: { text, next } })}\n`);
    return NO_VERDICT;
  }
}

async function dispatch(args: string[]): Promise<number> {
  const [verb, ...rest] = args;
  switch (verb) {
    case 'check':
      return check(rest);
    case 'run':
      return run(rest);
    case undefined:
    case 'help':
    case '--help':
    case '-h':
      (verb === undefined ? process.stderr : process.stdout).write(usage.problem);
      return verb === undefined ? NO_VERDICT : 0;
    default:
      throw new UsageError(`There is no "problem ${verb}".`, `Write: ${command} --help`);
  }
}

async function check(args: string[]): Promise<number> {
  const { values, positionals } = parsed('check', args, {});
  if (values.help === true) {
    process.stdout.write(usage.check);
    return 0;
  }
  const [dir, ...others] = positionals;
  if (dir === undefined || others.length > 0) {
    throw new UsageError('"problem check" takes one path.', `Write: ${command} check <dir>`);
  }
  return (await import('./check.ts')).checkProblems(dir);
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parsed('run', args, {
    mode: { type: 'string' },
    gpu: { type: 'string' },
    json: { type: 'boolean' },
  });
  if (values.help === true) {
    process.stdout.write(usage.run);
    return 0;
  }
  const [dir, file, ...others] = positionals;
  if (dir === undefined || file === undefined || others.length > 0) {
    throw new UsageError('"problem run" takes a problem and a file.', `Write: ${command} run <dir> <file>`);
  }
  const mode = parseMode(typeof values.mode === 'string' ? values.mode : 'leaderboard');
  if (mode === null) {
    throw new UsageError(
      `--mode ${String(values.mode)}: there is no such mode.`,
      `Write ${modes.join(', ')} or ranked, which is the same as leaderboard.`,
    );
  }
  return (await import('./run.ts')).runProblem({
    dir,
    file,
    mode,
    gpu: typeof values.gpu === 'string' ? values.gpu : null,
    json: values.json === true,
  });
}

function parsed(
  verb: 'check' | 'run',
  args: string[],
  options: Record<string, { type: 'string' | 'boolean' }>,
): { values: Record<string, unknown>; positionals: string[] } {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: { ...options, help: { type: 'boolean', short: 'h' } },
    });
  } catch (error) {
    // What Node says about an argument is a sentence for people, and its second one is about programming.
    const text = (error as Error).message.split('. ')[0] ?? '';
    throw new UsageError(`${text.replace(/\.$/, '')}.`, `Write: ${command} ${verb} --help`);
  }
}

function explain(error: unknown): { text: string; next: string } {
  if (error instanceof UsageError) return { text: error.message, next: error.next };
  if (error instanceof UserError) return { text: error.text, next: error.next };
  if (error instanceof BoxError) {
    return {
      text: `This machine could not do the work, the code is not to blame: ${error.message} (${error.kind})`,
      next: boxErrorRemedies[error.kind],
    };
  }
  return {
    text: `This is a fault of Hotlap's own. ${inspect(error)}`,
    next: 'Report it with the lines above.',
  };
}
