/**
 * The wiring: which parts there are, and who may talk to whom.
 *
 *   Discord  --/submit-->  intake  --rows-->  PostgreSQL  <--claims--  scheduler  --jobs-->  boxes
 *      ^                                          |                        |
 *      +---- announcer <--"changed", "owed"-------+<------ results --------+
 *
 * The database is the truth and the only meeting place: the Discord side and the scheduler never call each other.
 * Parts start from the bottom up and stop from the top down.
 */
import { access, constants, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { commands } from '../commands/index.ts';
import { databaseAccounts } from './api/accounts.ts';
import { Metrics } from './api/metrics.ts';
import { type Api, startApi } from './api/server.ts';
import { BoxPool } from './boxes/pool.ts';
import { loadRunnerArchive } from './boxes/runner-archive.ts';
import { loadOrCreateKey } from './boxes/ssh-key.ts';
import { applySync } from './catalog/apply.ts';
import { planDirectory } from './catalog/directory.ts';
import { findKnownGood } from './catalog/known-good.ts';
import { listProblemPlaces } from './catalog/places.ts';
import { planSync } from './catalog/plan.ts';
import { syncProblems } from './catalog/sync.ts';
import type { Config } from './config.ts';
import { forgetThreads } from './db/board-threads.ts';
import { takeBotLock } from './db/bot-lock.ts';
import { listBoxes } from './db/boxes.ts';
import { connect, type Sql } from './db/client.ts';
import { startEmbedded } from './db/embedded.ts';
import { migrate } from './db/migrate.ts';
import { installationName } from './db/settings.ts';
import { startAnnouncer } from './discord/announcer.ts';
import { connectDiscord } from './discord/client.ts';
import type { CommandParts } from './discord/command.ts';
import { dispatchInteractions } from './discord/dispatch.ts';
import { memberRoles } from './discord/member-roles.ts';
import { registerCommands } from './discord/register.ts';
import type { RunDesk } from './domain/verify.ts';
import type { Log } from './log.ts';
import { type Playground, startPlayground } from './playground/playground.ts';
import { examineBox } from './scheduler/box-monitor.ts';
import { registerLocalBox } from './scheduler/local-box.ts';
import { registerBox, scanBox } from './scheduler/register-box.ts';
import { Scheduler } from './scheduler/scheduler.ts';

export interface App {
  sql: Sql;
  /** The stand-in for Discord, where no token is configured. */
  playground: Playground | null;
  /** Null without the role. */
  api: Pick<Api, 'url'> | null;
  /**
   * Jobs that run on boxes go on there; a successor takes them over. With `endLocalJobs` those on this machine itself are
   * ended and wait in the queue, so that no process stays behind.
   */
  stop(options?: StopOptions): Promise<void>;
}

interface StopOptions {
  endLocalJobs: boolean;
}

/** Beyond those that pages and reports may hold at once (api/server.ts), so that some stay for whoever submits. */
const API_CONNECTIONS = 12;
const API_STATEMENT_TIMEOUT_MS = 20_000;

type StopPart = (options: StopOptions) => Promise<void>;

/** A part that could not start: which one, what to look at, and the cause. */
export class StartError extends Error {
  constructor(what: string, cause: unknown) {
    super(what, { cause });
    this.name = 'StartError';
  }
}

async function starting<T>(what: string, start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    throw error instanceof StartError ? error : new StartError(what, error);
  }
}

/** Starts everything; throws when a part cannot start, after stopping those that had. */
export async function startApp(config: Config, log: Log): Promise<App> {
  const stops: StopPart[] = [];
  const stop = async (options: StopOptions = { endLocalJobs: false }) => {
    for (const stopPart of stops.reverse().splice(0)) {
      await stopPart(options).catch((error: unknown) => log.error({ error }, 'a part did not stop cleanly'));
    }
  };
  try {
    await starting(`HOTLAP_DATA_DIR: the folder ${config.dataDir} cannot be used`, () =>
      checkDataDir(config),
    );
    const { sql, databaseUrl } = await startDatabase(config, log, stops);
    await starting(`HOTLAP_PROBLEMS_DIR: the folder ${config.problemsDir} cannot be read`, () =>
      access(config.problemsDir, constants.R_OK | constants.X_OK),
    );
    reportSync(await syncProblems(sql, config.problemsDir), log);

    const key = await starting(`the SSH key ${config.boxes.sshKeyPath} cannot be used (HOTLAP_SSH_KEY)`, () =>
      loadOrCreateKey(config.boxes.sshKeyPath),
    );
    const pool = new BoxPool({
      archive: await loadRunnerArchive(),
      instance: await installationName(sql),
      dataDir: config.dataDir,
      privateKey: key.privateKey,
    });
    stops.push(() => pool.close());
    const http = config.roles.includes('api') ? prepareHttp(databaseUrl, log, stops) : null;
    const metrics = http?.metrics ?? null;
    const playground = config.roles.includes('discord')
      ? await startDiscord(config, { sql, databaseUrl, pool, publicKey: key.publicKey, metrics }, log, stops)
      : null;
    if (config.roles.includes('scheduler')) {
      await lookAtThisMachine(config, sql, pool, log);
      const scheduler = new Scheduler({ sql, pool, log, localBox: config.boxes.localBox });
      stops.push((options) => scheduler.stop(options));
      await scheduler.start();
    }
    const api =
      http &&
      (await startHttp(config, { ...http, playground, runs: runDesk(config, sql, pool) }, log, stops));
    return { sql, playground, api, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What the HTTP API has of its own before it listens: other parts count into its metrics. */
interface HttpParts {
  sql: Sql;
  metrics: Metrics;
}

/** Connections of its own, so that people who read pages keep neither the scheduler nor the bot waiting. */
function prepareHttp(databaseUrl: string, log: Log, stops: StopPart[]): HttpParts {
  const sql = connect(databaseUrl, {
    maxConnections: API_CONNECTIONS,
    statementTimeoutMs: API_STATEMENT_TIMEOUT_MS,
    name: 'hotlap-api',
    log,
  });
  stops.push(() => sql.end());
  return { sql, metrics: new Metrics(sql, log) };
}

async function startHttp(
  config: Config,
  parts: HttpParts & { playground: Playground | null; runs: RunDesk },
  log: Log,
  stops: StopPart[],
): Promise<Api> {
  const { playground, runs, ...http } = parts;
  const discord = config.discord ?? (playground && playgroundDiscord(playground));
  const { host, port, adminToken, publicUrl, apps } = config.api;
  const api = await starting(
    `the HTTP API cannot listen on ${host} port ${port} (HOTLAP_API_HOST, HOTLAP_API_PORT)`,
    () =>
      startApi({
        ...config.api,
        ...http,
        log,
        accounts: databaseAccounts(
          http.sql,
          adminToken,
          discord ? memberRoles(discord) : undefined,
          // A playground has no strangers.
          (config.discord?.roleIds.participant ?? null) !== null,
        ),
        runs,
        signIn: { publicUrl, apps },
        exportsDir: join(config.dataDir, 'exports'),
        problems: {
          plan: (source, options) =>
            planSync(http.sql, source ?? { kind: 'directory', path: config.problemsDir }, options),
          planDirectory: (directory) => planDirectory(http.sql, config.problemsDir, directory),
          apply: (plan) => applySync(http.sql, plan),
        },
      }),
  );
  stops.push(() => api.close());
  log.info({ url: api.url }, 'the HTTP API listens');
  return api;
}

/** What runs without a board need of the parts that start them. */
function runDesk(config: Config, sql: Sql, pool: BoxPool): RunDesk {
  return {
    runnerHash: pool.runnerHash,
    findKnownGood: (leaderboard) => findKnownGood(sql, config.problemsDir, leaderboard),
  };
}

/** Without a public address: that on this machine, where it is certain. */
function knownApiUrl({ api, roles }: Config): string | null {
  if (api.publicUrl !== null) return api.publicUrl;
  const here = roles.includes('api') && api.host === '127.0.0.1' && api.port !== 0;
  return here ? `http://${api.host}:${api.port}` : null;
}

/** The bot, on Discord or on a playground of our own. */
async function startDiscord(
  config: Config,
  parts: { sql: Sql; databaseUrl: string; pool: BoxPool; publicKey: string; metrics: Metrics | null },
  log: Log,
  stops: StopPart[],
): Promise<Playground | null> {
  const { sql, databaseUrl, pool, metrics } = parts;
  const lock = await starting('the bot could not start', () => takeBotLock(databaseUrl, log));
  stops.push(() => lock.release());
  const { port } = config.playground;
  const playground = config.discord
    ? null
    : await starting(`the playground cannot use port ${port} (HOTLAP_PLAYGROUND_PORT)`, () =>
        startPlayground({ port }),
      );
  if (playground) {
    stops.push(() => playground.close());
    await forgetThreads(sql);
  }
  const discord = config.discord ?? playgroundDiscord(playground);

  const { client, disconnect } = await starting(
    `Discord at ${discord.apiUrl} does not take us (DISCORD_TOKEN, DISCORD_API_URL)`,
    () =>
      connectDiscord({
        apiUrl: discord.apiUrl,
        token: discord.token,
        log,
        onRequest: metrics?.observeDiscord.bind(metrics),
      }),
  );
  stops.push(() => disconnect());
  metrics?.watchGateway(() => client.ws.ping);
  const applicationId = discord.applicationId ?? client.application.id;
  const declarations = commands.map((command) => command.data);
  await starting(
    'the slash commands cannot be registered (DISCORD_GUILD_ID; is the bot invited there?)',
    () => registerCommands({ ...discord, applicationId }, declarations, log),
  );
  const commandParts: CommandParts = {
    sql,
    log,
    guildId: discord.guildId,
    roleIds: discord.roleIds,
    announcementChannelId: discord.channelId,
    exportsDir: join(config.dataDir, 'exports'),
    apiUrl: knownApiUrl(config),
    boxes: {
      scan: scanBox,
      register: (box, onStep) => registerBox(sql, pool, box, onStep),
      examine: (box, onFinding) => examineBox(sql, pool, box, onFinding),
      publicKey: async () => parts.publicKey,
    },
    runs: runDesk(config, sql, pool),
    problems: {
      plan: (source, options) =>
        planSync(sql, source ?? { kind: 'directory', path: config.problemsDir }, options),
      planDirectory: (directory, board) => planDirectory(sql, config.problemsDir, directory, board),
      apply: (plan, also) => applySync(sql, plan, also),
      places: () => listProblemPlaces(config.problemsDir),
    },
  };
  dispatchInteractions(client, commands, commandParts);
  const announcer = await startAnnouncer({
    client,
    sql,
    log,
    announcementChannelId: discord.channelId,
    adminChannelId: discord.adminChannelId,
    forumChannelId: discord.forumChannelId,
    guildId: discord.guildId,
    podiumSettleMs: config.podiumSettleMs,
  });
  stops.push(() => announcer.stop());
  return playground;
}

async function startDatabase(
  config: Config,
  log: Log,
  stops: StopPart[],
): Promise<{ sql: Sql; databaseUrl: string }> {
  let url = config.database.url;
  if (url === null) {
    const embedded = await starting('the embedded PostgreSQL could not start', () =>
      startEmbedded({ dataDir: config.dataDir, log }),
    );
    stops.push(() => embedded.stop());
    url = embedded.databaseUrl;
  }
  const sql = connect(url, { maxConnections: 20, log });
  stops.push(() => sql.end({ timeout: 5 }));
  await starting('the database cannot be used (DATABASE_URL)', () =>
    migrate(sql, { directory: join(import.meta.dirname, '../migrations'), log }),
  );
  return { sql, databaseUrl: url };
}

async function checkDataDir(config: Config): Promise<void> {
  await mkdir(config.dataDir, { recursive: true, mode: 0o711 });
  await access(config.dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
}

/** The local machine is the box while no other is registered. One that cannot be is no reason not to start. */
async function lookAtThisMachine(config: Config, sql: Sql, pool: BoxPool, log: Log): Promise<void> {
  const { localBox, localGpu, localSlots } = config.boxes;
  const others = (await listBoxes(sql)).some((box) => box.kind !== 'local');
  if (localBox === 'off' || (localBox === 'auto' && others)) return;
  try {
    const probe = await registerLocalBox(sql, pool, { gpuType: localGpu, slots: localSlots });
    const sandbox = probe.sandbox_problem ? `${probe.sandbox} (${probe.sandbox_problem})` : probe.sandbox;
    log.info(
      { python: probe.python, gpus: probe.gpus.map((gpu) => gpu.model), sandbox },
      'this machine is a box',
    );
  } catch (error) {
    log.warn({ error }, 'this machine cannot be a box: add one with /admin box add');
  }
}

function reportSync(report: Awaited<ReturnType<typeof syncProblems>>, log: Log): void {
  for (const fault of report.refused) log.error({ fault }, 'a problem was left out');
  for (const warning of report.warnings) log.warn({ warning }, 'in a problem');
  if (report.kept.length > 0)
    log.warn({ boards: report.kept }, 'boards left alone: they were synced from a repository or an archive');
  for (const board of report.rejudge)
    log.warn(board, 'judged by an earlier version: /admin rejudge start makes the board comparable');
  const { created, updated, unchanged } = report;
  log.info({ created, updated, unchanged: unchanged.length }, 'problems read');
}

function playgroundDiscord(playground: Playground | null): NonNullable<Config['discord']> {
  if (!playground) throw new Error('neither a Discord token nor a playground');
  return {
    token: playground.token,
    applicationId: playground.applicationId,
    guildId: playground.guildId,
    roleIds: playground.roleIds,
    channelId: playground.channelId,
    adminChannelId: playground.adminChannelId ?? null,
    forumChannelId: playground.forumChannelId,
    apiUrl: playground.restApi,
  };
}
