/** The queue as people meet it: places and times, taking back, trying again, and how a result finds its owner. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { APIMessage } from 'discord-api-types/v10';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { connect } from '../../src/db/client.ts';
import { labSubmissions, writeLabProblems } from '../support/lab-problems.ts';
import { type OwnDatabase, ownDatabase } from '../support/own-database.ts';
import { componentsOf, textOf } from '../support/playground-message.ts';
import { causeFault, type InteractionHandle, type PlaygroundUser } from '../support/playground-user.ts';
import { quietLog } from '../support/quiet-log.ts';
import { type RunningApp, runningApp } from '../support/running-app.ts';

const TIMEOUT = { timeoutMs: 60_000 };
const POLL = { timeout: 60_000, interval: 50 };
/** What the issue grants a cancelled run. */
const DEAD_WITHIN_MS = 5000;

const good = { name: 'good.py', bytes: labSubmissions.good };
/** Several seconds of work, in several cases. */
const slow = {
  name: 'slow.py',
  bytes: 'import time\n\ndef custom_kernel(data):\n    time.sleep(2)\n    return [2 * x for x in data]\n',
};

/** Runs until it is ended, in two processes of a name of their own; the second in a session of its own. */
function held(): { mark: string; file: { name: string; bytes: string } } {
  const mark = `held-${randomBytes(4).toString('hex')}`;
  const bytes = `import os, time

def custom_kernel(data):
    with open("/proc/self/comm", "w") as out:
        out.write("${mark}")
    if os.fork() == 0:
        os.setsid()
    time.sleep(600)
`;
  return { mark, file: { name: 'held.py', bytes } };
}

/** Living processes of that name, on the whole machine. */
async function processesNamed(mark: string): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const names = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      return / Z /.test(stat) ? '' : stat;
    }),
  );
  return names.filter((stat) => stat.includes(`(${mark})`)).length;
}

const title = (message: APIMessage) => message.embeds[0]?.title ?? '';
const idOf = (message: APIMessage) => Number(/#(\d+)/.exec(title(message))?.[1]);
const ended = (message: APIMessage) => /^(Ranked|Passed|Failed|Our fault|Cancelled)/.test(title(message));

function submitLab(user: PlaygroundUser, file: object, mode: string, more: object = {}) {
  return user.slash('/submit', { file, leaderboard: 'lab', mode, ...more } as never);
}

/** Resolves with the number once it is stored. */
async function numberOf(handle: InteractionHandle): Promise<number> {
  return idOf(await handle.waitFor((message) => Number.isInteger(idOf(message)), TIMEOUT));
}

describe('the queue', () => {
  let running: RunningApp;
  let first: PlaygroundUser;
  let second: PlaygroundUser;

  beforeAll(async () => {
    running = await runningApp({ prepareProblems: writeLabProblems });
    ({ first, second } = running.users);
  });
  afterAll(() => running?.stop());
  beforeEach(async () => {
    await expect
      .poll(
        () => running.database.sql`select 1 from hotlap.jobs where status in ('queued', 'leased', 'running')`,
        POLL,
      )
      .toEqual([]);
  });

  /** Keeps the only lane busy; waits until its processes are there. */
  async function hold(user: PlaygroundUser) {
    const { mark, file } = held();
    const handle = await submitLab(user, file, 'benchmark');
    const id = await numberOf(handle);
    await expect.poll(() => processesNamed(mark), POLL).toBe(2);
    onTestFinished(async () => {
      await user.slash('/submissions cancel', { id });
    });
    return { handle, id, mark };
  }

  const jobs = (id: number) =>
    running.database.sql<{ status: string; attempt: number }[]>`
      select status, attempt from hotlap.jobs where submission_id = ${id} order by id`;

  it('shows place and time while one waits, keeps them up to date, and lets one out by a button', async () => {
    await hold(first);
    const leaving = await submitLab(second, good, 'test');
    const leavingId = await numberOf(leaving);
    const staying = await submitLab(second, good, 'test');
    const stayingId = await numberOf(staying);
    await leaving.waitFor(
      (message) => /position 1, done in about \d+ (s|min)/.test(textOf(message)),
      TIMEOUT,
    );
    await staying.waitFor(
      (message) => /position 2, done in about \d+ (s|min)/.test(textOf(message)),
      TIMEOUT,
    );

    const queue = textOf(await (await second.slash('/queue')).answer());
    expect(queue).toContain('**CPU** 1 of 1 slot busy, 2 jobs waiting');
    expect(queue).toMatch(new RegExp(`#${leavingId} on CPU: position 1, done in about`));
    expect(queue).toMatch(new RegExp(`#${stayingId} on CPU: position 2, done in about`));
    const others = textOf(await (await first.slash('/queue')).answer());
    expect(others).toContain('2 jobs waiting');
    expect(others).toContain('Nothing of yours waits');

    await second.press(await leaving.reply(), 'Cancel');
    const gone = await leaving.waitFor(ended, TIMEOUT);
    expect(title(gone)).toBe(`Cancelled · #${leavingId}`);
    expect(componentsOf(gone)).toEqual([]);
    await staying.waitFor((message) => textOf(message).includes('position 1'), TIMEOUT);
    expect(await jobs(leavingId)).toEqual([{ status: 'cancelled', attempt: 0 }]);
    await second.slash('/submissions cancel', { id: stayingId });
    await staying.waitFor(ended, TIMEOUT);
  });

  for (const way of ['by the command', 'by the button'] as const) {
    it(`ends what runs within seconds ${way}, every process of it, and goes on with the next`, async () => {
      const { handle, id, mark } = await hold(first);
      const next = await submitLab(second, good, 'test');
      const nextId = await numberOf(next);
      if (way === 'by the command') {
        const answer = await (await first.slash('/submissions cancel', { id })).answer();
        expect(textOf(answer)).toContain('being ended');
      } else {
        await first.press(await handle.reply(), 'Cancel');
      }
      await expect.poll(() => processesNamed(mark), { timeout: DEAD_WITHIN_MS, interval: 20 }).toBe(0);
      expect(title(await handle.waitFor(ended, TIMEOUT))).toBe(`Cancelled · #${id}`);
      expect(title(await next.waitFor(ended, TIMEOUT))).toBe(`Passed · #${nextId}`);
      expect(await jobs(id)).toEqual([{ status: 'cancelled', attempt: 1 }]);
      await expect
        .poll(
          () =>
            running.database
              .sql`select status from hotlap.outbox where submission_id = ${id} and kind = 'result'`,
          POLL,
        )
        .toEqual([{ status: 'sent' }]);
    });
  }

  it('refuses to cancel what has ended, and what is somebody else’s', async () => {
    const { id } = await hold(first);
    const foreign = await (await second.slash('/submissions cancel', { id })).answer();
    expect(textOf(foreign)).toContain(`Submission #${id} belongs to somebody else`);
    expect((await jobs(id)).map((job) => job.status)).toEqual(['running']);
    await first.slash('/submissions cancel', { id });
    await expect.poll(async () => (await jobs(id)).map((job) => job.status), POLL).toEqual(['cancelled']);
    const late = await (await first.slash('/submissions cancel', { id })).answer();
    expect(textOf(late)).toContain(`Submission #${id} has ended already`);
  });

  it('cancels one’s own older files of the same leaderboard and mode on request', async () => {
    await hold(first);
    const old = await submitLab(second, good, 'test');
    const otherMode = await submitLab(second, good, 'benchmark');
    const oldId = await numberOf(old);
    await numberOf(otherMode);
    const newer = await submitLab(second, good, 'test', { supersede: true });
    const newerId = await numberOf(newer);
    expect(title(await old.waitFor(ended, TIMEOUT))).toBe(`Cancelled · #${oldId}`);
    expect(title(await otherMode.reply())).toContain('Queued');
    expect((await jobs(newerId)).map((job) => job.status)).toEqual(['queued']);
  });

  it('offers to run again what failed by our fault, with the result in the same place', async () => {
    const { sql } = running.database;
    // The box is in use before it breaks: one that cannot be swept would be given no job at all.
    const sound = await submitLab(second, good, 'test');
    await sound.waitFor(ended, TIMEOUT);
    const root = join(running.dataDir, 'box');
    const [instance] = (await readdir(root)).filter((name) => name !== 'runner');
    const [last] = await sql<{ id: number }[]>`select max(id) as id from hotlap.jobs`;
    // A file where the folder of the next job belongs: no attempt at it can start.
    const blocks = Array.from({ length: 9 }, (_, at) =>
      join(root, instance ?? '', 'jobs', `${(last?.id ?? 0) + 1}.${at + 1}`),
    );
    await Promise.all(blocks.map((file) => writeFile(file, '')));
    const handle = await submitLab(second, good, 'ranked');
    const id = await numberOf(handle);
    // Minutes of waiting between the attempts pass at once.
    const pass = async () => {
      await sql`update hotlap.jobs set not_before = now() where status = 'queued' and not_before > now()`;
    };
    const hurry = setInterval(() => void pass(), 100);
    const failed = await handle.waitFor(ended, TIMEOUT).finally(() => clearInterval(hurry));
    expect(title(failed)).toBe(`Our fault: a box failed · #${id}`);
    expect(textOf(failed)).toContain('The box failed, not your code');
    expect(textOf(failed)).not.toContain(root);
    expect(componentsOf(failed).map((component) => component.label)).toEqual(['Run it again']);
    const attempts = (await jobs(id))[0]?.attempt ?? 0;
    expect(attempts).toBeGreaterThan(2);
    const history = await sql<{ kind: string }[]>`
      select ended_by as kind from hotlap.job_attempts a join hotlap.jobs j on j.id = a.job_id
      where j.submission_id = ${id} and not j.secret`;
    expect(history.every((row) => row.kind === 'runner-crashed')).toBe(true);
    expect(history).toHaveLength(attempts);

    await Promise.all(blocks.map((file) => rm(file, { force: true })));
    const again = await second.press(failed, 'Run it again');
    expect(again.failure).toBeUndefined();
    const passed = await handle.waitFor((message) => title(message) === `Ranked · #${id}`, TIMEOUT);
    expect(componentsOf(passed)).toEqual([]);
    expect(await jobs(id)).toEqual([
      { status: 'finished', attempt: attempts + 1 },
      { status: 'finished', attempt: 1 },
    ]);
    // Discord shows a message a moment before its row is marked.
    await expect
      .poll(
        () =>
          sql`select status from hotlap.outbox where submission_id = ${id} and kind = 'result' order by id`,
        POLL,
      )
      .toEqual([{ status: 'sent' }, { status: 'sent' }]);
  });

  describe('a result', () => {
    const about = (id: number) => (message: APIMessage) =>
      JSON.stringify([message.embeds, message.content]).includes(`#${id}`);

    it('comes as a direct message, once, when the interaction is over, through Discord’s own trouble', async () => {
      const handle = await submitLab(first, slow, 'test');
      const id = await numberOf(handle);
      await causeFault(running.playground, { kind: 'expire-tokens' });
      const route = '/channels/*/messages';
      // Carried out, but the answer is lost: sent again, it must not show twice.
      await causeFault(running.playground, {
        kind: 'respond',
        status: 500,
        times: 5,
        method: 'POST',
        route,
        afterApplying: true,
      });
      await causeFault(running.playground, { kind: 'respond', status: 429, times: 2, method: 'POST', route });
      await first.waitForMessage((message) => title(message) === `Passed · #${id}`, TIMEOUT);
      await expect
        .poll(() => running.database.sql`select status from hotlap.outbox where submission_id = ${id}`, POLL)
        .toEqual([{ status: 'sent' }]);
      const received = (await first.directMessages()).filter(about(id));
      expect(received).toHaveLength(1);
      expect(received[0]?.attachments.map((file) => file.filename)).toEqual([`report-${id}.txt`]);
    });

    it('is only pointed to in the channel, without scores, for one who takes no direct messages', async () => {
      await causeFault(running.playground, { kind: 'block-dms', userId: first.id, blocked: true });
      onTestFinished(() =>
        causeFault(running.playground, { kind: 'block-dms', userId: first.id, blocked: false }),
      );
      await second.watch();
      const { id: holder } = await hold(second);
      const handle = await submitLab(first, good, 'ranked');
      const id = await numberOf(handle);
      await causeFault(running.playground, { kind: 'expire-tokens' });
      await second.slash('/submissions cancel', { id: holder });
      const pointer = await second.waitForMessage(
        (message) => message.content === `<@${first.id}>` && about(id)(message),
        TIMEOUT,
      );
      expect(textOf(pointer)).toContain(`/submissions show id:${id}`);
      expect(textOf(pointer)).not.toMatch(/score|Ranked|Failed|\d(ms|µs| s)\b/);
      expect(pointer.attachments).toEqual([]);
      expect((await first.directMessages()).filter(about(id))).toEqual([]);
      await expect
        .poll(
          () =>
            running.database
              .sql`select status from hotlap.outbox where submission_id = ${id} and kind = 'result'`,
          POLL,
        )
        .toEqual([{ status: 'sent' }]);
      const shown = textOf(await (await first.slash('/submissions show', { id })).answer());
      expect(shown).toContain('Secret score');
    });

    it('arrives in the reply through 500s and 429s', async () => {
      const handle = await submitLab(first, slow, 'test');
      const id = await numberOf(handle);
      await handle.waitFor((message) => title(message).startsWith('Running'), TIMEOUT);
      const route = '/webhooks/*/*/messages/@original';
      await causeFault(running.playground, {
        kind: 'respond',
        status: 502,
        times: 6,
        method: 'PATCH',
        route,
      });
      await causeFault(running.playground, {
        kind: 'respond',
        status: 429,
        times: 3,
        method: 'PATCH',
        route,
      });
      expect(title(await handle.waitFor(ended, TIMEOUT))).toBe(`Passed · #${id}`);
      const elsewhere = [...(await first.directMessages()), ...(await second.visibleMessages())];
      expect(elsewhere.filter(about(id))).toEqual([]);
    });
  });
});

describe('while the bot runs, PostgreSQL', () => {
  let own: OwnDatabase;
  let running: RunningApp;
  let user: PlaygroundUser;

  beforeAll(async () => {
    own = await ownDatabase();
    const sql = connect(own.databaseUrl, { maxConnections: 3, log: quietLog });
    const database = { sql, databaseUrl: own.databaseUrl, drop: () => sql.end() };
    running = await runningApp({ prepareProblems: writeLabProblems, database });
    user = running.users.first;
  });
  afterAll(async () => {
    await running?.stop();
    await running?.database.drop();
    await own?.remove();
  });

  const restarts: [string, () => Promise<void>][] = [
    [
      'may be shut down and started',
      async () => {
        await own.shutDown();
        await own.startAgain();
      },
    ],
    ['may crash', () => own.crash()],
  ];
  it.each(restarts)(
    '%s: what runs ends, what waits runs, what comes is taken, and people see it all',
    async (_, restart) => {
      const before = await submitLab(user, slow, 'test');
      const beforeId = await numberOf(before);
      const waiting = await submitLab(user, good, 'test');
      const waitingId = await numberOf(waiting);
      await before.waitFor((message) => title(message).startsWith('Running'), TIMEOUT);

      await restart();

      expect(title(await before.waitFor(ended, TIMEOUT))).toBe(`Passed · #${beforeId}`);
      expect(title(await waiting.waitFor(ended, TIMEOUT))).toBe(`Passed · #${waitingId}`);
      const after = await submitLab(user, slow, 'test');
      const afterId = await numberOf(after);
      // The news of a running job come by notifications alone: somebody listens again.
      await after.waitFor((message) => /on `local`: test/.test(JSON.stringify(message.embeds)), TIMEOUT);
      expect(title(await after.waitFor(ended, TIMEOUT))).toBe(`Passed · #${afterId}`);

      const rows = await running.database.sql`
      select status, attempt from hotlap.jobs where submission_id in (${beforeId}, ${waitingId}, ${afterId})`;
      expect(rows.every((row) => row.status === 'finished' && row.attempt === 1)).toBe(true);
      const { sql } = running.database;
      const runs = await sql`select submission_id, stage from hotlap.runs where submission_id >= ${beforeId}`;
      expect(runs).toHaveLength(3);
      const owed = await sql`select status from hotlap.outbox where submission_id >= ${beforeId}`;
      expect(owed).toHaveLength(3);
    },
  );
});
