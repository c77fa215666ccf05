/** Runs `node src/main.ts ...` as a person would, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
const LIMIT_MS = 90_000;

export interface ProgramEnd {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunningProgram {
  child: ChildProcess;
  ended: Promise<ProgramEnd>;
  /** Resolves when its standard error holds this; rejects when the program ends before. */
  says(text: string): Promise<void>;
}

/** `env` comes on top of a PATH and nothing else. */
export function startProgram(
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): RunningProgram {
  return started(process.execPath, [MAIN, ...args], options);
}

export function runProgram(...given: Parameters<typeof startProgram>): Promise<ProgramEnd> {
  return startProgram(...given).ended;
}

/** On a terminal: both outputs come as one, with what moves the cursor. `code` is that of the program. */
export function runOnTerminal(...[args, options = {}]: Parameters<typeof startProgram>): Promise<ProgramEnd> {
  const program = `import os, pty, sys\nsys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))`;
  return started('python3', ['-c', program, process.execPath, MAIN, ...args], options).ended;
}

function started(
  command: string,
  args: readonly string[],
  { cwd, env }: { cwd?: string; env?: Record<string, string> },
): RunningProgram {
  const child = spawn(command, args, {
    cwd: cwd ?? process.cwd(),
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  const texts = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      texts[name] += chunk;
      for (const listener of listeners) listener();
    });
  }
  const ended = new Promise<ProgramEnd>((done, fail) => {
    child.once('error', fail);
    child.once('close', (code) => {
      clearTimeout(timer);
      done({ code, ...texts });
    });
  });
  return {
    child,
    ended,
    says(text) {
      return new Promise((done, fail) => {
        const look = () => texts.stderr.includes(text) && done();
        listeners.add(look);
        look();
        void ended.then((end) => fail(new Error(`ended without saying “${text}”: ${JSON.stringify(end)}`)));
      });
    },
  };
}
