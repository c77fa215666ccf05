/** The process: configuration in, one running app, and an orderly end. */
import { startApp } from './app.ts';
import { ConfigError, loadEnvironment, parseConfig } from './config.ts';
import { createLog } from './log.ts';

async function main(): Promise<void> {
  const config = parseConfig(loadEnvironment());
  const log = createLog(config.log);

  const starting = startApp(config, log);
  let ending = false;
  const end = async (signal: string) => {
    if (ending) return;
    ending = true;
    log.info({ signal }, 'stopping: running jobs stay on their boxes');
    // A signal during the start stops what has started.
    const started = await starting.catch(() => null);
    await started?.stop();
    process.exit(0);
  };
  let interrupts = 0;
  process.on('SIGINT', () => {
    interrupts += 1;
    // Whoever presses Ctrl-C twice does not want to wait for the orderly end.
    if (interrupts > 1) process.exit(130);
    void end('SIGINT');
  });
  process.on('SIGTERM', () => void end('SIGTERM'));
  process.on('SIGHUP', () => void end('SIGHUP'));

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

main().catch((error: unknown) => {
  if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
  else
    process.stderr.write(
      `Hotlap could not start: ${error instanceof Error ? (error.stack ?? error.message) : error}\n`,
    );
  process.exit(1);
});
