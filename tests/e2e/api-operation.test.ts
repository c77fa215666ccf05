/** What operators and page authors need of the API: its document, metrics, origins, proxies, limits, and how it ends. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from '../support/api-client.ts';
import { type ApiStage, apiStage, cliUpload } from '../support/api-stage.ts';
import { openStream } from '../support/event-stream.ts';
import { labSubmissions } from '../support/lab-problems.ts';

describe('the API in operation', () => {
  let stage: ApiStage;
  beforeAll(async () => {
    stage = await apiStage({
      env: {
        HOTLAP_ROLES: 'discord,api',
        HOTLAP_API_CORS_ORIGINS: 'https://pages.example',
        HOTLAP_API_TRUSTED_PROXIES: '127.0.0.1',
      },
    });
  });
  afterAll(() => stage.stop());

  it('describes every route but the pages in OpenAPI 3.1, with a summary and schemas from the code', async () => {
    const document = (await stage.anyone.get('/openapi.json')).json();
    expect(document.openapi).toBe('3.1.0');
    const operations = Object.entries<Record<string, { summary?: string; responses: object }>>(
      document.paths,
    ).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, operation })),
    );
    expect(operations.map((item) => item.name)).toEqual(
      expect.arrayContaining([
        'get /user/submissions',
        'get /user/submissions/{id}',
        'post /submission/{leaderboard}/{gpu}/{mode}',
        'post /{leaderboard}/{gpu}/{mode}',
        'delete /admin/leaderboards/{leaderboard}',
        'get /auth/init',
      ]),
    );
    expect(operations.filter(({ operation }) => !operation.summary).map((item) => item.name)).toEqual([]);
    expect(document.components.schemas.SubmissionListItem.properties.secret_score).toBeDefined();
    const upload = document.paths['/submission/{leaderboard}/{gpu}/{mode}'].post;
    expect(upload.requestBody.content['multipart/form-data'].schema.properties.file.format).toBe('binary');
    const list = document.paths['/user/submissions'].get;
    expect(list.parameters.find((item: { name: string }) => item.name === 'limit').schema.type).toBe(
      'integer',
    );

    const page = await stage.anyone.get('/docs');
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
  });

  it('tells queue, boxes, HTTP and Discord in metrics', async () => {
    await stage.bob.call(
      'POST',
      '/submission/lab-two-gpus/H100/test',
      cliUpload('a.py', labSubmissions.good),
    );
    await stage.anyone.get('/no/such/path/at/all');
    await stage.running.users.first.slash('/leaderboard list');
    // A job that a box has had, in its last state.
    await stage.running.app.sql`
      update hotlap.jobs set status = 'finished', passed = true, started_at = created_at + interval '2 seconds',
        finished_at = now() where gpu_type = 'H100'`;
    const read = async () => (await stage.anyone.get('/metrics')).text;
    await expect
      .poll(read, { timeout: 30_000, interval: 500 })
      .toContain('hotlap_job_wait_seconds_count{gpu="H100",mode="test"} 1');
    const text = await read();
    for (const line of [
      /^hotlap_queue_jobs\{gpu="H100"\} 0$/m,
      /^hotlap_queue_oldest_seconds\{gpu="CPU"\} 0$/m,
      /^hotlap_lost_work\{kind="jobs"\} 0$/m,
      /^hotlap_database_up 1$/m,
      /^hotlap_job_run_seconds_count\{gpu="H100",mode="test",outcome="passed"\} 1$/m,
      /^hotlap_http_request_seconds_count\{method="POST",route="\/submission\/:leaderboard\/:gpu\/:mode",status="202"\} 1$/m,
      /^hotlap_http_request_seconds_count\{method="GET",route="unknown",status="404"\} \d+$/m,
      /^hotlap_discord_request_seconds_count\{method="POST",resource="interactions",status="20\d"\} \d+$/m,
      /^hotlap_process_cpu_seconds_total/m,
    ]) {
      expect(text).toMatch(line);
    }
    // Neither people nor boards nor tokens: what would have no end.
    expect(text).not.toMatch(/lab-two-gpus|700000000000000|alice|bob/);
  });

  it('lets pages of the configured origins alone call', async () => {
    const ask = (origin: string) => stage.anyone.call('GET', '/health', { headers: { origin } });
    expect((await ask('https://pages.example')).headers['access-control-allow-origin']).toBe(
      'https://pages.example',
    );
    expect((await ask('https://elsewhere.example')).headers['access-control-allow-origin']).toBeUndefined();
  });

  it('limits what costs something: per user, else per address as a trusted proxy tells it, and never polling', async () => {
    const from = (address: string) => stage.anyone.as({ 'x-forwarded-for': address });
    const statuses = async (client: ApiClient, path: string, times: number) => {
      const answers = await Promise.all(Array.from({ length: times }, () => client.get(path)));
      return answers;
    };
    const wrong = await statuses(
      from('10.1.1.1').as({ 'x-popcorn-cli-id': 'wrong', 'x-forwarded-for': '10.1.1.1' }),
      '/user/submissions',
      80,
    );
    const refused = wrong.filter((answer) => answer.status === 429);
    expect(refused).toHaveLength(20);
    expect(Number(refused[0]?.headers['retry-after'])).toBeGreaterThan(0);
    expect(refused[0]?.json().detail).toMatch(/^Too many requests of this kind\. Try again in \d+s\.$/);
    // The same address with a right token, and another address with a wrong one, are not concerned.
    const right = stage.anyone.as({ 'x-popcorn-cli-id': stage.bobToken, 'x-forwarded-for': '10.1.1.1' });
    expect((await right.get('/user/submissions')).status).toBe(200);
    const other = stage.anyone.as({ 'x-popcorn-cli-id': 'wrong', 'x-forwarded-for': '10.1.1.2' });
    expect((await other.get('/user/submissions')).status).toBe(401);

    const id = (await stage.bob.get('/user/submissions')).json()[0].id;
    const polls = await statuses(stage.bob, `/user/submissions/${id}`, 400);
    expect(polls.every((answer) => answer.status === 200)).toBe(true);

    const busy = await stage.person('busy');
    const many = await Promise.all(
      Array.from({ length: 62 }, () =>
        busy.call('POST', '/submission/lab-two-gpus/H100/test', cliUpload('a.py', 'x = 1')),
      ),
    );
    expect(many.filter((answer) => answer.status === 202)).toHaveLength(60);
    expect(many.filter((answer) => answer.status === 429)).toHaveLength(2);
  });

  it('answers polls again when the database was away for a moment', async () => {
    const id = (await stage.bob.get('/user/submissions')).json()[0].id;
    // The connections of the API end under it.
    const polls = Array.from({ length: 10 }, () => stage.bob.get(`/user/submissions/${id}`));
    await stage.running.app.sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = 'hotlap-api'`;
    expect((await Promise.all(polls)).map((answer) => answer.status)).toEqual(Array(10).fill(200));
    expect((await stage.bob.get(`/user/submissions/${id}`)).status).toBe(200);
    await expect.poll(async () => (await stage.anyone.get('/ready')).status, { timeout: 20_000 }).toBe(200);
  });

  it('ends its streams with a word and answers what is under way when it stops', async () => {
    const upload = cliUpload('a.py', labSubmissions.good);
    const stream = await openStream(stage.url, '/lab-two-gpus/H100/test', {
      ...upload,
      headers: { ...upload.headers, 'x-popcorn-cli-id': stage.bobToken },
    });
    await expect.poll(() => stream.events().length, { timeout: 30_000 }).toBeGreaterThan(0);
    const id = stream.events()[0]?.data.submission_id;
    expect(stream.events()[0]?.data).toMatchObject({
      stage: 'queued',
      message: expect.stringContaining('waits for a box'),
    });
    await stage.running.app.stop();
    await stream.ended;
    expect(stream.events().at(-1)).toEqual({
      event: 'error',
      data: {
        status: 'error',
        detail: `The server restarts. Submission #${id} goes on; your list shows its result.`,
        status_code: 503,
      },
    });
    const late = new ApiClient(stage.url);
    await expect(late.get('/health')).rejects.toThrow('ECONNREFUSED');
    late.close();
  });
});
