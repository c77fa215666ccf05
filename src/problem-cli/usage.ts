/** What the command line says about itself, and the error for a wrong use of it. */

/** Wrong use: said on standard error, exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
  /** What to do about it. */
  readonly next: string;

  constructor(text: string, next: string) {
    super(text);
    this.next = next;
  }
}

/** As it was called: `npm run` also works where the Node at hand is too old for TypeScript. */
export const command =
  process.env.npm_lifecycle_event === 'problem' ? 'npm run problem --' : 'node src/main.ts problem';

const where = `<dir> is one of
  the problems folder      where the <set>.yaml files lie
  a set                    its <set>.yaml
  a problem                its folder, with task.yml; a set is not needed`;

export const usage = {
  problem: `Usage: ${command} check <dir>
       ${command} run <dir> <file> [options]

For people who write problems. Neither Discord nor a database is needed.

  check    read the problems as Hotlap does, and say what is wrong with them
  run      run a submission on this machine as a box would, and print its report

Each has a --help of its own. docs/problem-authors.md describes the format.
`,
  check: `Usage: ${command} check <dir>

Reads the problems as Hotlap does and says what is wrong: file, line, key, what was expected, what to do.
Nothing of the problem is run.

${where}

Exit code: 0 no faults (there may be warnings), 1 faults, 2 wrong usage.
`,
  run: `Usage: ${command} run <dir> <file> [--mode MODE] [--gpu TYPE] [--json]

Runs a submission on this machine, in the sandbox and by the programs that run it on a box, and prints its report.

${where}
With several problems in <dir>, the file says which: "#!POPCORN leaderboard NAME" on its first line.

  --mode MODE    test, benchmark, profile, or ranked (also called leaderboard), which is the default:
                 all tests and benchmarks, once with the public seeds and once with a secret one
  --gpu TYPE     the GPU type to run as, one of the problem's; by default the one that this machine has
  --json         one JSON object on standard output instead of the report

The report goes to standard output, progress to standard error. Ctrl-C ends the job and leaves nothing behind.

Exit code: 0 passed, 1 failed, 2 wrong usage, a faulty problem, or a fault of Hotlap or this machine;
130 after Ctrl-C.
`,
} as const;
