/** The process: configuration in, one running app, and an orderly end. */
import { startApp } from './app.ts';
import { ConfigError, loadEnvironment, parseConfig } from './config.ts';
import { createLog } from './log.ts';

async function main(): Promise<void> {
  const config = parseConfig(loadEnvironment());
  const log = createLog(config.log);

  // A second Ctrl-C does not wait for the orderly end.
  let app: Awaited<ReturnType<typeof startApp>> | null = null;
  let ending = false;
  const end = async (signal: string) => {
    if (ending) process.exit(130);
    ending = true;
    log.info({ signal }, 'stopping: running jobs stay on their boxes');
    await app?.stop();
    process.exit(0);
  };
  process.on('SIGINT', () => void end('SIGINT'));
  process.on('SIGTERM', () => void end('SIGTERM'));

  app = await startApp(config, log);
  if (app.playground) {
    process.stdout.write(
      `\n  Hotlap runs. Open the playground: ${app.playground.url}\n  Ctrl-C ends it.\n\n`,
    );
  } else {
    log.info('Hotlap runs on Discord');
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
