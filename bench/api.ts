/**
 * The HTTP API as clients use it, on 100,000 submissions: requests per second and times of the pages that are asked for
 * most, with 1 and with 16 connections. Server, database and this load generator share the machine.
 *
 * Beside them in the same run: an empty route of the same server, the list page computed from raw runs row by row, and
 * how long /health takes while each page is under load.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { connect, type Sql } from '../src/db/client.ts';
import { startEmbedded } from '../src/db/embedded.ts';
import { migrate } from '../src/db/migrate.ts';
import { createLog } from '../src/log.ts';
import { BOARDS, GPUS, type Seeded, seedContest } from './api-seed.ts';
import { probeHealth } from './health-probe.ts';
import { type Load, load } from './http-load.ts';
import { readListFromRuns } from './naive-list.ts';
import type { Part, Row } from './row.ts';

const SUBMISSIONS = 100_000;
const USERS = 500;
const CONNECTIONS = 16;
const WARMUP_MS = 1000;
const MEASURE_MS = 5000;
const NAIVE_READINGS = 60;

const PROBE_PAUSE_MS = 5;
const TURNS = 7;
const TURN_MS = 1000;
/** A thread takes a while to start. */
const TURN_MARGIN_MS = 600;

const P99_GOAL_MS = 150;
const HEALTH_GOAL = 3;
/** Requests per second with 16 connections. */
const goals: Record<string, number> = { 'list of 100': 300, 'board of 20': 1000, detail: 600 };

export const api: Part = {
  name: 'api',
  about: `pages of the HTTP API with ${SUBMISSIONS} submissions`,
  async measure(say) {
    const closers: (() => Promise<unknown>)[] = [];
    try {
      const log = createLog({ level: 'error', format: 'json' });
      const folder = await mkdtemp(path.join(tmpdir(), 'hotlap-bench-'));
      closers.push(() => rm(folder, { recursive: true, force: true }));
      await chmod(folder, 0o711);
      const embedded = await startEmbedded({ dataDir: path.join(folder, 'database'), log });
      closers.push(() => embedded.stop());
      const { databaseUrl } = embedded;
      await migrate(databaseUrl, { directory: path.resolve(import.meta.dirname, '../migrations'), log });
      const sql = connect(databaseUrl, { maxConnections: CONNECTIONS, log });
      closers.push(() => sql.end({ timeout: 1 }));
      const since = performance.now();
      const seeded = await seedContest(sql, { submissions: SUBMISSIONS, users: USERS });
      say(`filled the database in ${Math.round((performance.now() - since) / 1000)} s`);
      const server = await startServer(databaseUrl);
      closers.push(() => server.stop());
      return await measureOn(server.url, sql, seeded, say);
    } finally {
      for (const close of closers.reverse()) await close();
    }
  },
};

async function measureOn(url: string, sql: Sql, seeded: Seeded, say: (text: string) => void): Promise<Row[]> {
  const user = (n: number) => seeded.users[(n * 7) % seeded.users.length] ?? '';
  const by = (n: number) => ({ 'x-popcorn-cli-id': user(n) });
  const empty = () => ({ path: '/health' });
  const pages: Record<string, Next> = {
    'list of 100': (n) => ({ path: '/user/submissions?limit=100', headers: by(n) }),
    'board of 20': (n) => ({ path: `/submissions/contest-${n % BOARDS}/${GPUS[n % 2]}?limit=20` }),
    detail: (n) => {
      const ids = seeded.submissions.get(user(n)) ?? [];
      return { path: `/user/submissions/${ids[n % ids.length]}`, headers: by(n) };
    },
  };
  const measure = async (connections: number, next: Next) => {
    await load({ url, connections, durationMs: WARMUP_MS, next });
    return load({ url, connections, durationMs: MEASURE_MS, next });
  };

  const rows: Row[] = [];
  for (const connections of [1, CONNECTIONS]) {
    const baseline = await measure(connections, empty);
    rows.push(...figures(`empty route, ${connections} connections`, baseline, null, null));
    for (const [name, next] of Object.entries(pages)) {
      const measured = await measure(connections, next);
      const goal = connections === CONNECTIONS ? (goals[name] ?? null) : null;
      rows.push(...figures(`${name}, ${connections} connections`, measured, baseline, goal));
    }
    say(`${connections} connections`);
  }

  const naive = await naiveList(sql, user);
  rows.push(...figures(`list of 100 from raw runs, ${CONNECTIONS} at once, without HTTP`, naive, null, null));

  for (const [name, next] of Object.entries(pages)) rows.push(await healthMeanwhile(url, name, next));
  return rows;
}

type Next = Parameters<typeof load>[0]['next'];

/** Turns of both in change, because a machine that others use, too, is not the same from one minute to the next. */
async function healthMeanwhile(url: string, name: string, next: Next): Promise<Row> {
  const probe = { url, pauseMs: PROBE_PAUSE_MS, durationMs: TURN_MS };
  const alone: number[] = [];
  const meanwhile: number[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    alone.push((await probeHealth(probe)).p50Ms);
    const busy = load({ url, connections: CONNECTIONS, durationMs: TURN_MS + TURN_MARGIN_MS, next });
    meanwhile.push((await probeHealth(probe)).p50Ms);
    await busy;
  }
  const [value, baseline] = [median(meanwhile), median(alone)];
  return {
    part: 'api',
    name: `/health meanwhile (${name}), median`,
    unit: 'ms',
    value,
    baseline,
    ratio: value / baseline,
    goal: `at most ${HEALTH_GOAL} times`,
    met: value <= HEALTH_GOAL * baseline,
  };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function figures(name: string, measured: Load, baseline: Load | null, goal: number | null): Row[] {
  const row = (
    what: string,
    unit: string,
    value: number,
    beside: number | undefined,
    goalText: string | null,
    met: boolean | null,
  ): Row => ({
    part: 'api',
    name: `${name}: ${what}`,
    unit,
    value,
    baseline: beside ?? null,
    ratio: beside === undefined ? null : value / beside,
    goal: goalText,
    met,
  });
  const { perSecond, p50Ms, p99Ms } = measured;
  return [
    row(
      'requests per second',
      '1/s',
      perSecond,
      baseline?.perSecond,
      goal === null ? null : `at least ${goal}`,
      goal === null ? null : perSecond >= goal,
    ),
    row('median', 'ms', p50Ms, baseline?.p50Ms, null, null),
    row(
      'p99',
      'ms',
      p99Ms,
      baseline?.p99Ms,
      goal === null ? null : `under ${P99_GOAL_MS} ms`,
      goal === null ? null : p99Ms < P99_GOAL_MS,
    ),
  ];
}

/** As many at once as the list page is asked for. */
async function naiveList(sql: Sql, user: (n: number) => string): Promise<Load> {
  const times: number[] = [];
  let n = 0;
  const since = performance.now();
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (n < NAIVE_READINGS) {
        const before = performance.now();
        await readListFromRuns(sql, user(n++), 100);
        times.push(performance.now() - before);
      }
    }),
  );
  const seconds = (performance.now() - since) / 1000;
  times.sort((a, b) => a - b);
  const at = (part: number) => times[Math.floor((times.length - 1) * part)] ?? Number.NaN;
  return { perSecond: times.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99), requests: times.length };
}

async function startServer(databaseUrl: string): Promise<{ url: string; stop(): Promise<void> }> {
  const program = path.join(import.meta.dirname, 'api-server.ts');
  const child = spawn(process.execPath, [program, databaseUrl], { stdio: ['pipe', 'pipe', 'inherit'] });
  const stop = async () => {
    if (child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.stdin.end();
    await ended;
  };
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('ready ')) return { url: line.slice('ready '.length), stop };
  }
  throw new Error('the server of the API did not start; its reason is above');
}
