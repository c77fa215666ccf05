/**
 * Everything that chaos plays with, all of it real and on loopback:
 *
 *   people -- stand-in for Discord (here, so that it outlives the bot) -- bot processes -- PostgreSQL (a process of its own)
 *                                                                              |
 *                                                                    OpenSSH boxes, watched by the witness
 */
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BoxPool } from '../../src/boxes/pool.ts';
import { loadRunnerArchive } from '../../src/boxes/runner-archive.ts';
import { connect, isConnectionError, type Sql } from '../../src/db/client.ts';
import { type Embedded, startEmbedded } from '../../src/db/embedded.ts';
import { migrate } from '../../src/db/migrate.ts';
import { installationName } from '../../src/db/settings.ts';
import { type Playground, startPlayground } from '../../src/playground/playground.ts';
import { registerBox } from '../../src/scheduler/register-box.ts';
import { type PlaygroundUser, playgroundUser } from '../support/playground-user.ts';
import { quietLog } from '../support/quiet-log.ts';
import { BotProcess } from './bot-process.ts';
import { ChaosBox } from './box.ts';
import { writeChaosProblems } from './problems.ts';
import { until } from './until.ts';
import { Witness } from './witness.ts';

const START_MS = 60_000;

export class Stage {
  readonly folder: string;
  readonly boxes: ChaosBox[] = [];
  playground!: Playground;
  users: PlaygroundUser[] = [];
  sql!: Sql;
  witness!: Witness;
  /** Commands and jobs. */
  bot!: BotProcess;
  /** Jobs only: the second scheduler on the same database. */
  scheduler!: BotProcess;
  #embedded: Embedded | null = null;
  readonly #closers: (() => Promise<unknown>)[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Nothing of Hotlap runs yet when it resolves. Call `close` in any case. */
  static async open(): Promise<Stage> {
    const folder = await mkdtemp(path.join(tmpdir(), 'hotlap-chaos-'));
    const stage = new Stage(folder);
    try {
      // The account of PostgreSQL passes through, where that is another one.
      await chmod(folder, 0o711);
      await stage.#build();
    } catch (error) {
      await stage.close();
      throw error;
    }
    return stage;
  }

  async #build(): Promise<void> {
    await writeChaosProblems(path.join(this.folder, 'problems'));
    const embedded = await startEmbedded({ dataDir: this.#databaseFolder, log: quietLog });
    this.#embedded = embedded;
    this.#closers.push(() => embedded.stop());
    await migrate(embedded.databaseUrl, {
      directory: path.resolve(import.meta.dirname, '../../migrations'),
      log: quietLog,
    });
    this.sql = connect(embedded.databaseUrl, { maxConnections: 4, log: quietLog });
    this.#closers.push(() => this.sql.end({ timeout: 1 }));

    this.playground = await startPlayground({ port: 0 });
    this.#closers.push(() => this.playground.close());
    this.users = this.playground.users.map((user) => playgroundUser(this.playground, user.id));
    for (const user of this.users) {
      this.#closers.push(async () => user.close());
      await user.watch();
    }

    const instance = await installationName(this.sql);
    for (const [name, slots, smallDisk] of [
      ['alpha', 1, false],
      ['beta', 2, true],
    ] as const) {
      const box = await ChaosBox.open(name, slots, { smallDisk });
      this.#closers.push(() => box.close());
      if (this.boxes[0]) await box.admit(this.boxes[0]);
      this.boxes.push(box);
    }
    this.witness = await Witness.watch(await Promise.all(this.boxes.map((box) => box.jobsFolder(instance))));
    this.#closers.push(() => this.witness.close());
    await this.#registerBoxes(instance);

    this.bot = await this.#process('bot', 'discord,scheduler');
    this.scheduler = await this.#process('scheduler', 'scheduler');
  }

  async #registerBoxes(instance: string): Promise<void> {
    const privateKey = await readFile(this.#keyPath, 'utf8');
    const archive = await loadRunnerArchive();
    const pool = new BoxPool({ archive, instance, dataDir: this.folder, privateKey });
    for (const { name, slots, sshd } of this.boxes) {
      await registerBox(this.sql, pool, {
        name,
        slots,
        host: sshd.host,
        port: sshd.port,
        username: sshd.user,
        hostKey: sshd.hostKeyFingerprint,
        gpuTypes: ['CPU'],
        unsafe: false,
        sandbox: { engine: 'bubblewrap' },
        slurm: null,
      });
    }
    await pool.close();
  }

  async #process(name: string, roles: string): Promise<BotProcess> {
    const cwd = path.join(this.folder, name);
    await mkdir(cwd);
    const { playground } = this;
    const bot = new BotProcess(
      name,
      {
        DATABASE_URL: this.#embedded?.databaseUrl ?? '',
        DISCORD_TOKEN: playground.token,
        DISCORD_API_URL: playground.restApi,
        DISCORD_APPLICATION_ID: playground.applicationId,
        DISCORD_GUILD_ID: playground.guildId,
        DISCORD_ADMIN_ROLE_ID: playground.adminRoleId,
        DISCORD_CHANNEL_ID: playground.channelId,
        DISCORD_ADMIN_CHANNEL_ID: playground.adminChannelId,
        HOTLAP_DATA_DIR: path.join(cwd, 'data'),
        HOTLAP_PROBLEMS_DIR: path.join(this.folder, 'problems'),
        HOTLAP_SSH_KEY: this.#keyPath,
        HOTLAP_LOCAL_BOX: 'off',
        HOTLAP_ROLES: roles,
        HOTLAP_LOG_LEVEL: 'debug',
        HOTLAP_LOG_FORMAT: 'json',
      },
      cwd,
    );
    this.#closers.push(() => bot.stop('SIGKILL'));
    return bot;
  }

  /** Starts both processes of Hotlap, the one with the commands first. */
  async startHotlap(): Promise<void> {
    this.bot.start();
    await this.bot.untilReady(START_MS);
    this.scheduler.start();
    await this.scheduler.untilReady(START_MS);
  }

  get #databaseFolder(): string {
    return path.join(this.folder, 'database');
  }

  get #keyPath(): string {
    return this.boxes[0]?.sshd.privateKeyPath ?? '';
  }

  /** A query that waits for the database where that is away. */
  async ask<T>(query: (sql: Sql) => Promise<T>): Promise<T> {
    return until('the database', START_MS, async () => {
      try {
        return { rows: await query(this.sql) };
      } catch (error) {
        if (isConnectionError(error)) return undefined;
        throw error;
      }
    }).then(({ rows }) => rows);
  }

  /**
   * Ends the database server: SIGINT as an administrator would, SIGQUIT at once, SIGKILL as the kernel does when memory
   * runs out. Resolves when it is up again, which the embedded server sees to by itself.
   */
  async restartDatabase(signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL'): Promise<void> {
    const before = await this.#postmaster();
    if (before === null) throw new Error('there is no database server to restart');
    process.kill(before, signal);
    await until('another database server', START_MS, async () => {
      const now = await this.#postmaster();
      return now !== null && now !== before;
    });
    await this.ask((sql) => sql`select 1`);
  }

  async #postmaster(): Promise<number | null> {
    const file = path.join(this.#databaseFolder, 'postgres', 'postmaster.pid');
    const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0]);
    return pid > 0 ? pid : null;
  }

  /** Ends and removes everything, last things first. Safe to call twice. */
  async close(): Promise<void> {
    for (const closePart of this.#closers.reverse().splice(0)) {
      await closePart().catch((error: unknown) => {
        process.stderr.write(`chaos: something was not cleaned up: ${error}\n`);
      });
    }
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
