import { type Logger, pino, stdSerializers } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from './config.ts';

export type Log = Logger;

/** Keys whose values must never reach a log, wherever an object that carries them is logged. */
const secretKeys = ['token', 'seed', 'secretSeed', 'secret_seed', 'authorization', 'password', 'databaseUrl'];
const secretPaths = ['', '*.', '*.*.'].flatMap((prefix) => secretKeys.map((key) => `${prefix}${key}`));

/**
 * The process log. `auto` is pretty on a terminal and JSON lines elsewhere.
 *
 * @param destination where to write instead of standard output; always JSON lines
 */
export function createLog(options: Config['log'], destination?: { write(line: string): void }): Log {
  const settings = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: secretPaths, censor: '[secret]' },
    // Errors are logged under the key `error`; without this their message would be lost.
    serializers: { error: stdSerializers.err },
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (destination) return pino(settings, destination);
  const asPretty = options.format === 'pretty' || (options.format === 'auto' && process.stdout.isTTY);
  // Written in step: a worker would lose the last lines, the ones that matter, when the process ends.
  if (asPretty) {
    return pino(
      settings,
      pretty({ sync: true, translateTime: 'SYS:HH:MM:ss', colorize: process.stdout.isTTY }),
    );
  }
  return pino(settings, pino.destination({ sync: true }));
}
