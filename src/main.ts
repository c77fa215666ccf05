/**
 * The process. Without arguments: configuration in, one running app, and an orderly end. With arguments: one of the
 * command lines, which load no more than they need.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';

const START_PATIENCE_MS = 10_000;

/** By their first word; each gets the words behind it and returns the exit code. */
const commandLines: Record<string, (args: string[]) => Promise<number>> = {
  problem: async (args) => (await import('./problem-cli/command-line.ts')).problemCommand(args),
  sync: async (args) => (await import('./sync-command.ts')).syncCommand(args),
};

/** For the whole process, instead of HOTLAP_ROLES. */
const roleFlags: Record<string, string> = {
  '--api-only': 'scheduler,api',
  '--discord-only': 'discord,scheduler',
};

const USAGE = `Usage: node src/main.ts                  start Hotlap (settings: .env.example)
       node src/main.ts --api-only       without Discord: HTTP API and scheduler
       node src/main.ts --discord-only   without the HTTP API: bot and scheduler
       node src/main.ts problem --help   check and run problems, for their authors
       node src/main.ts sync --help      bring problems onto the boards, after showing what changes
`;

async function main([word, ...args]: string[]): Promise<void> {
  if (word === undefined) return serve();
  const roles = Object.hasOwn(roleFlags, word) ? roleFlags[word] : undefined;
  if (roles !== undefined && args.length === 0) return serve(roles);
  if (Object.hasOwn(commandLines, word)) {
    process.exitCode = await commandLines[word]?.(args);
    return;
  }
  const asked = ['help', '--help', '-h'].includes(word);
  const fault = roles === undefined ? `There is no "${word}".` : `${word} stands alone.`;
  (asked ? process.stdout : process.stderr).write(asked ? USAGE : `${fault}\n${USAGE}`);
  process.exitCode = asked ? 0 : 2;
}

async function serve(roles?: string): Promise<void> {
  const [{ startApp }, { loadEnvironment, parseConfig }, { createLog }] = await Promise.all([
    import('./app.ts'),
    import('./config.ts'),
    import('./log.ts'),
  ]);
  const config = parseConfig({ ...loadEnvironment(), ...(roles && { HOTLAP_ROLES: roles }) });
  const log = createLog(config.log);

  const starting = startApp(config, log);
  let ending = false;
  /** Ctrl-C leaves no process on this machine; a service manager's SIGTERM is a restart, and jobs go on through it. */
  const end = async (signal: string, endLocalJobs: boolean) => {
    if (ending) return;
    ending = true;
    log.info({ signal }, endLocalJobs ? 'stopping: jobs on this machine go back to the queue' : 'stopping');
    // A signal during the start stops what has started, unless the start hangs.
    const started = await Promise.race([starting.catch(() => null), delay(START_PATIENCE_MS, null)]);
    await started?.stop({ endLocalJobs });
    process.exit(0);
  };
  let interrupts = 0;
  process.on('SIGINT', () => {
    interrupts += 1;
    // Whoever presses Ctrl-C twice does not want to wait for the orderly end.
    if (interrupts > 1) process.exit(130);
    void end('SIGINT', true);
  });
  process.on('SIGTERM', () => void end('SIGTERM', false));
  process.on('SIGHUP', () => void end('SIGHUP', true));

  const app = await starting;
  if (ending) return;
  if (app.playground) {
    process.stdout.write(
      `\n  Hotlap runs. Open the playground: ${app.playground.url}\n  Ctrl-C ends it.\n\n`,
    );
  } else {
    log.info({ roles: config.roles }, 'Hotlap runs');
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const known = error instanceof Error && ['ConfigError', 'StartError'].includes(error.name);
  process.stderr.write(known ? `${causeChain(error)}\n` : `Hotlap could not start: ${inspect(error)}\n`);
  process.exit(1);
});

/** The sentence, and below it what was behind it, as far as it goes. */
function causeChain(error: Error): string {
  const lines = [error.message];
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    lines.push(`  because: ${cause.message || String((cause as NodeJS.ErrnoException).code ?? cause.name)}`);
  }
  return lines.join('\n');
}
