/**
 * `npm run chaos -- [--trials N] [--seed S] [--minutes M] [--keep FOLDER] [--only FAULT ...]`
 *
 * Breaks Hotlap N times in all the ways of faults.ts while people submit to it, on this machine alone, and prints what
 * became of their submissions. The exit status is 0 only when nothing was lost, stored twice or run again needlessly.
 * `--keep` copies the logs of the processes to a folder.
 */
import { cp } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { sshdMissing } from '../support/sshd.ts';
import { type FaultKind, faults } from './faults.ts';
import { findings, renderReport } from './report.ts';
import { runChaos } from './run.ts';

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '50' },
    seed: { type: 'string' },
    minutes: { type: 'string', default: '20' },
    keep: { type: 'string' },
    only: { type: 'string', multiple: true },
  },
});

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) fail(`--${name}: a whole number was expected, not ${text}`);
  return Number(text);
}

function fail(text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(2);
}

const unknown = (values.only ?? []).filter((kind) => !Object.hasOwn(faults, kind));
if (unknown.length > 0)
  fail(`no such fault: ${unknown.join(', ')}; there are: ${Object.keys(faults).join(', ')}`);
const missing = sshdMissing();
if (missing !== null) fail(`chaos needs real boxes: ${missing}`);

const trials = wholeNumber('trials', values.trials);
const seed = values.seed === undefined ? Math.floor(Math.random() * 1e9) : wholeNumber('seed', values.seed);
const minutes = wholeNumber('minutes', values.minutes);
const { keep } = values;

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (!interrupted.signal.aborted) process.stderr.write('chaos: ending and cleaning up\n');
    interrupted.abort();
  });
}

const startedMs = Date.now();
const say = (text: string) => {
  process.stdout.write(`${((Date.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
};
say(`${trials} faults, seed ${seed}`);
try {
  const report = await runChaos({
    trials,
    seed,
    minutes,
    say,
    signal: interrupted.signal,
    ...(values.only && { kinds: values.only as FaultKind[] }),
    ...(keep !== undefined && {
      beforeCleaning: async (_report, folder) => {
        for (const name of ['bot', 'scheduler'])
          await cp(`${folder}/${name}/${name}.log`, `${keep}/${name}.log`);
      },
    }),
  });
  process.stdout.write(`\n${renderReport(report)}\n`);
  process.exitCode = findings(report).length > 0 ? 1 : 0;
} catch (error) {
  if (!interrupted.signal.aborted) throw error;
  process.exitCode = 130;
}
