/**
 * This machine as a box: the transport is a child process, no shell between.
 */
import { spawn } from 'node:child_process';
import { BoxError } from '../domain/box-error.ts';
import { channelOver, collect, type RunningCommand } from './running-command.ts';
import type { Transport } from './transport.ts';

/**
 * What a child sees of our environment. An allow-list: the bot's own holds its token and its database address, and
 * a variable that somebody adds tomorrow must not reach a box by being forgotten here.
 */
const passedOn = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'LANG',
  'LC_ALL',
  'LC_CTYPE',
  'TZ',
  'TMPDIR',
  // Where a container engine listens.
  'DOCKER_HOST',
  'XDG_RUNTIME_DIR',
  'LD_LIBRARY_PATH',
  'CUDA_HOME',
  'CUDA_PATH',
  'CUDA_VISIBLE_DEVICES',
  'ROCM_PATH',
  'HIP_VISIBLE_DEVICES',
  'SLURM_CONF',
];

const WHERE = 'this machine';

/** `environment` is ours by default; only the allow-listed names in it are handed on. */
export function localTransport(environment: NodeJS.ProcessEnv = process.env): Transport {
  const env: Record<string, string> = {};
  for (const name of passedOn) {
    const value = environment[name];
    if (value !== undefined) env[name] = value;
  }
  const running = new Set<RunningCommand>();

  function start(command: readonly string[]): Promise<RunningCommand> {
    const [program, ...rest] = command;
    if (program === undefined) throw new TypeError('an empty command');
    return new Promise((resolve, reject) => {
      // A session of its own: Ctrl-C in the terminal is meant for the bot, which still needs the agent to end its
      // jobs, and a kill reaches the command's children too. It is held by its standard input: see protocol.ts.
      const child = spawn(program, rest, { env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
      child.once('error', (cause) => {
        reject(
          new BoxError('channel-lost', `${WHERE} could not start ${program}: ${cause.message}`, { cause }),
        );
      });
      child.once('spawn', () => {
        const started: RunningCommand = {
          stdin: child.stdin,
          stdout: child.stdout,
          stderr: child.stderr,
          marked: false,
          ended: new Promise((resolveEnd) => {
            child.once('close', (code, signal) => {
              running.delete(started);
              resolveEnd({ code, signal });
            });
          }),
          kill() {
            try {
              if (child.pid !== undefined && running.has(started)) process.kill(-child.pid, 'SIGKILL');
            } catch {
              // Already gone: that is what was wanted.
            }
          },
        };
        running.add(started);
        resolve(started);
      });
    });
  }

  return {
    name: WHERE,
    async exec(command, options) {
      return collect(await start(command), WHERE, options);
    },
    async open(command) {
      return channelOver(await start(command), WHERE);
    },
    // There is no connection to lose: a command that dies closes its own channel.
    onLost() {},
    async close() {
      const ends = [...running].map((command) => {
        command.stdin.end();
        const timer = setTimeout(() => command.kill(), 2_000);
        return command.ended.then(() => clearTimeout(timer));
      });
      await Promise.all(ends);
    },
  };
}
