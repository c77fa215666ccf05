/**
 * Ten thousand requests made from the server's own document, as an outsider, as a participant and as an organiser: none
 * ends in an error of ours, none hangs, none shows an outsider what is somebody else's, and the server works on.
 */
import { Agent } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, ApiClient } from '../support/api-client.ts';
import { type ApiStage, apiStage, cliUpload, withoutScheduler } from '../support/api-stage.ts';
import { type MadeRequest, RequestMaker } from '../support/openapi-requests.ts';
import { plantSecrets } from '../support/planted-secrets.ts';

const REQUESTS = 10_000;
const CONNECTIONS = 12;
const HANG_MS = 30_000;
const SEED = Number(process.env.HOTLAP_FUZZ_SEED ?? 1);

describe('ten thousand requests', () => {
  let stage: ApiStage;
  beforeAll(async () => {
    stage = await apiStage({ env: { ...withoutScheduler, HOTLAP_API_TRUSTED_PROXIES: '127.0.0.1' } });
  });
  afterAll(() => stage.stop());

  it(`made from the document find no error, no hang and no leak (seed ${SEED})`, async () => {
    const secrets = await plantSecrets(stage);
    const mallory = await stage.person('mallory');
    const own = await mallory.call('POST', '/submission/lab-two-gpus/H100/test', cliUpload('a.py', 'x = 1'));
    const document = (await stage.anyone.get('/openapi.json')).json();
    const maker = new RequestMaker(
      document,
      {
        leaderboard: ['lab', 'LAB', 'lab-two-gpus', 'lab-over', 'nowhere'],
        leaderboard_name: ['lab', 'nowhere'],
        gpu: ['CPU', 'H100', 'h100', 'T4'],
        mode: ['test', 'benchmark', 'leaderboard', 'profile', 'private'],
        id: [String(secrets.submissionId), String(own.json().details.id), '1', '2', '3', '999999'],
        user: [secrets.userId, 'nobody'],
        user_id: [secrets.userId, 'nobody'],
        user_name: ['alice', 'mallory', 'nobody'],
        limit: ['1', '20', '100'],
        offset: ['0', '5'],
        track: ['CPU', 'h100', 'H100 / Triton', 'both'],
        metric: ['stalls', 'shape_0_stalls'],
        as_of: ['2020-01-01T00:00:00Z', '2026-01-01T00:00:00+02:00'],
        from: ['2020-01-01T00:00:00Z'],
        to: ['2100-01-01T00:00:00Z'],
        points: ['2', '1000'],
        top: ['1', '20'],
        provider: ['discord', 'github'],
        category: ['test', 'leaderboard'],
        directory: ['lab/doubling', 'lab/trial', '../x'],
        filename: ['a.parquet', '../a.parquet', 'a.txt'],
        file: ['a.parquet', 'b.parquet'],
        // Nothing outside of this machine is asked.
        repository: ['file:///nowhere', 'ext::sh', 'x'],
        problem_set: ['lab'],
      },
      SEED,
    );
    const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    const address = stage.url;
    let requests = 0;
    const clients = [
      { name: 'anyone', client: new ApiClient(address, {}, agent), outsider: true },
      ...[mallory, await stage.person('trudy'), await stage.person('oscar')].map((client) => ({
        name: 'outsider',
        client: client.on(agent),
        outsider: true,
      })),
      {
        name: 'organiser',
        client: stage.admin
          .as({ authorization: `Bearer ${stage.adminToken}`, 'x-popcorn-cli-id': stage.bobToken })
          .on(agent),
        outsider: false,
      },
    ];
    // Per address there are limits, which would leave most of the requests unanswered: each comes from its own.
    const from = (n: number) => ({ 'x-forwarded-for': `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}` });
    const statuses = new Map<number, number>();
    const faults: string[] = [];
    const look = (who: (typeof clients)[number], made: MadeRequest, answer: Answer | Error) => {
      const said = `${who.name}: ${made.method} ${made.path} ${String(made.call.body ?? '').slice(0, 300)}`;
      if (answer instanceof Error) return faults.push(`${answer.message}: ${said}`);
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      if (answer.status >= 500) faults.push(`${answer.status} ${answer.text.slice(0, 200)}: ${said}`);
      if (answer.status >= 400 && made.method !== 'HEAD') {
        if (/node_modules|\.ts:\d|\n\s+at /.test(answer.text)) faults.push(`a stack: ${said}`);
        const { detail } = JSON.parse(answer.text);
        if (typeof detail !== 'string') faults.push(`no detail: ${said}`);
      }
      const leaked = who.outsider
        ? secrets.foundIn(answer.text)
        : secrets.foundIn(answer.text).filter((it) => it === 'seed');
      if (leaked.length > 0) faults.push(`leaks ${leaked.join()}: ${said}`);
    };
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        while (requests < REQUESTS) {
          const n = requests++;
          // What organisers do to boards is undone now and then, so that the others get somewhere.
          if (n % 200 === 0) await reopenBoards(stage);
          const made = maker.next();
          const who = clients[n % clients.length];
          if (!who) throw new Error('there is always a client');
          if (!who.outsider && endsTheTest(made, secrets.submissionId)) continue;
          const headers = { ...made.call.headers, ...from(n) };
          const call = { ...made.call, headers, endlessAfterMs: HANG_MS };
          const answer = await who.client.call(made.method, made.path, call).catch((error: Error) => error);
          look(who, made, answer);
        }
      }),
    );
    agent.destroy();
    expect(faults.slice(0, 10)).toEqual([]);
    // The requests got somewhere, submissions among them.
    for (const [status, least] of [
      [200, 500],
      [202, 1],
      [400, 100],
      [401, 100],
      [403, 20],
      [404, 100],
      [422, 100],
    ] as const) {
      const seen = statuses.get(status) ?? 0;
      expect(seen, `answers ${status}: ${JSON.stringify([...statuses])}`).toBeGreaterThanOrEqual(least);
    }
    expect((await stage.anyone.get('/health')).status).toBe(200);
    expect((await stage.alice.get(`/user/submissions/${secrets.submissionId}`)).status).toBeLessThan(500);
  });
});

async function reopenBoards(stage: ApiStage): Promise<void> {
  const { sql } = stage.running.app;
  await sql`update hotlap.leaderboards set visibility = 'public'`;
  await sql`delete from hotlap.rate_limits`;
}

/** What an organiser may well ask for, and what would leave nothing to look at: no submissions, no board, no secret. */
function endsTheTest({ method, route, path }: MadeRequest, plantedId: number): boolean {
  if (route === '/admin/stop') return true;
  if (method !== 'DELETE') return false;
  if (route === '/admin/submissions/{id}') return path.includes(`/${plantedId}`);
  if (route === '/admin/submissions') return path.includes('alice');
  return route === '/admin/leaderboards/{leaderboard}' && /lab(-two-gpus)?([/?]|$)/i.test(path);
}
