/**
 * `node src/main.ts sync ...`: what `/admin problems sync` does, without Discord. Shows the plan; applies it with
 * `--apply`, or when a person at the terminal says yes. Works beside a running Hotlap, over the same database.
 */
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { applySync } from './catalog/apply.ts';
import { planSync } from './catalog/plan.ts';
import { type Config, ConfigError, loadEnvironment, parseConfig } from './config.ts';
import { appendAudit } from './db/audit.ts';
import { connect, type Sql } from './db/client.ts';
import { startEmbedded } from './db/embedded.ts';
import { migrate } from './db/migrate.ts';
import { UserError } from './domain/errors.ts';
import { originText, type ProblemSource } from './domain/problem-source.ts';
import { hasWork, noteOfSync, type SyncPlan, type SyncReport } from './domain/sync-plan.ts';
import { createLog } from './log.ts';
import { planFile, planTitle } from './reports/plan-embed.ts';

const USAGE = `Usage: node src/main.ts sync [<dir>] [options]

Reads problems and shows what would change on the boards: new, changed with a diff, unchanged, refused with reasons.
Nothing is changed before you say so.

  <dir>             a problems folder; by default HOTLAP_PROBLEMS_DIR
  --git URL         a repository instead: https://, ssh://, git@host:path or file://
    --branch NAME   a branch or tag of it
    --folder PATH   where the set files are in it
  --archive FILE    a .zip or .tar.gz instead
  --set NAME        only this set: the name of its file without .yaml
  --apply           apply the plan without asking

Exit code: 0 all of it is good, 1 something was refused, 2 wrong usage, or it could not be read.
`;

/** Wrong use, with what to do in the same sentence. */
class UsageError extends Error {}

/** Prints everything there is to say and returns the exit code. */
export async function syncCommand(args: string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    const known = error instanceof UsageError || error instanceof ConfigError;
    if (error instanceof UserError) process.stderr.write(`${error.text}\n${error.next}\n`);
    else if (known) process.stderr.write(`${error.message}\n`);
    else throw error;
    return 2;
  }
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = readArguments(args);
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const config = parseConfig(loadEnvironment());
  const source = await sourceOf(values, positionals, config);
  return withDatabase(config, async (sql) => {
    const plan = await planSync(sql, source, values.set === undefined ? {} : { set: values.set });
    process.stdout.write(planText(plan));
    if (!hasWork(plan)) return plan.refused.length > 0 ? 1 : 0;
    if (!values.apply && !(await confirmed())) {
      process.stdout.write('Nothing was changed. --apply does what is shown here.\n');
      return plan.refused.length > 0 ? 1 : 0;
    }
    const report = await applySync(sql, plan);
    const { username } = userInfo();
    const actor = { id: username, name: username, door: 'command-line' } as const;
    await appendAudit(sql, actor, 'sync', noteOfSync(plan, report));
    process.stdout.write(reportText(report));
    return report.refused.length > 0 ? 1 : 0;
  });
}

function readArguments(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        git: { type: 'string' },
        branch: { type: 'string' },
        folder: { type: 'string' },
        archive: { type: 'string' },
        set: { type: 'string' },
        apply: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. ')[0]}. "sync --help" says how it is used.`);
  }
}

async function sourceOf(
  values: ReturnType<typeof readArguments>['values'],
  positionals: string[],
  config: Config,
): Promise<ProblemSource> {
  const { git, branch, folder, archive } = values;
  const given = [git, archive, ...positionals].filter((value) => value !== undefined);
  if (given.length > 1) throw new UsageError('Give one of a folder, --git and --archive.');
  if (git === undefined && (branch !== undefined || folder !== undefined))
    throw new UsageError('--branch and --folder belong to --git.');
  if (git !== undefined) return { kind: 'git', url: git, branch: branch ?? null, folder: folder ?? null };
  if (archive === undefined) return { kind: 'directory', path: positionals[0] ?? config.problemsDir };
  const bytes = await readFile(archive).catch(() => {
    throw new UsageError(`The file ${archive} cannot be read.`);
  });
  return { kind: 'archive', name: basename(archive), bytes };
}

/** The configured one, or our own server: a running Hotlap shares it, and otherwise it is ended again. */
async function withDatabase(config: Config, work: (sql: Sql) => Promise<number>): Promise<number> {
  const log = createLog({ level: 'warn', format: config.log.format });
  const embedded =
    config.database.url === null ? await startEmbedded({ dataDir: config.dataDir, log }) : null;
  const sql = connect(config.database.url ?? embedded?.databaseUrl ?? '', { maxConnections: 2, log });
  try {
    await migrate(sql, { directory: join(import.meta.dirname, '../migrations'), log });
    return await work(sql);
  } finally {
    await sql.end({ timeout: 5 });
    await embedded?.stop();
  }
}

function planText(plan: SyncPlan): string {
  const { commit } = plan;
  const from = [`From ${originText(plan.origin)}`];
  if (commit) from.push(`Commit ${commit.hash.slice(0, 10)} ${commit.subject}`);
  const details = planFile(plan).text.trim();
  return `${planTitle(plan)}\n${from.join('\n')}\n${details === '' ? '' : `\n${details}\n\n`}`;
}

function reportText(report: SyncReport): string {
  const list = (word: string, names: string[]) => (names.length > 0 ? [`${word}: ${names.join(', ')}`] : []);
  const again = report.rejudge.map(
    ({ leaderboard, ranked }) =>
      `${leaderboard}: ${ranked} ranked submissions were judged otherwise. /admin rejudge start leaderboard:${leaderboard} outdated:True`,
  );
  const lines = [
    ...list('Created', report.created),
    ...list('Changed', report.updated),
    ...report.refused.map((fault) => `Not applied: ${fault}`),
    ...again,
  ];
  return `${lines.join('\n')}\n`;
}

/** No without a terminal. */
async function confirmed(): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^(y|yes)$/i.test((await terminal.question('Apply this? [y/N] ')).trim());
  } finally {
    terminal.close();
  }
}
