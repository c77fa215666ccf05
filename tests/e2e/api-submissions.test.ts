/** The contract of the command-line client at wire level, against the running app and the real runner. */
import { connect } from 'node:net';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { detailBody, listItem } from '../../src/api/submission-bodies.ts';
import { type ApiStage, apiStage, cliUpload } from '../support/api-stage.ts';
import { openStream } from '../support/event-stream.ts';
import { labSubmissions } from '../support/lab-problems.ts';

const DEADLINE_MS = 120_000;

describe('submissions over HTTP', () => {
  let stage: ApiStage;
  /** Sent at the start, so that they run while the other tests look at other things. */
  const sent: Record<'good' | 'publicOnly' | 'wrong', number> = { good: 0, publicOnly: 0, wrong: 0 };

  beforeAll(async () => {
    stage = await apiStage({ env: { HOTLAP_LOCAL_SLOTS: '2' } });
    sent.good = await submit('my sub (1) é.py', labSubmissions.good, 'leaderboard');
    sent.publicOnly = await submit('public only.py', labSubmissions.publicOnly, 'leaderboard');
    sent.wrong = await submit('wrong.py', labSubmissions.wrong, 'test');
  });
  afterAll(() => stage.stop());

  async function submit(name: string, code: string, mode: string): Promise<number> {
    const answer = await stage.alice.call('POST', `/submission/lab/CPU/${mode}`, cliUpload(name, code));
    expect(answer.status).toBe(202);
    return answer.json().details.id;
  }

  /** Polls as the client does, and ends as it does: on a failed state first, then on `done`. */
  async function ended(id: number) {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      const answer = await stage.alice.get(`/user/submissions/${id}`);
      expect(answer.status).toBe(200);
      const body = detailBody.strict().parse(answer.json());
      if (['failed', 'timed_out', 'hacked'].includes(body.job.status) || body.done) return body;
      expect(body.runner_queue).toMatchObject({ runner: 'Hotlap', gpu: 'CPU' });
      expect(Date.now(), `submission ${id} ends in time`).toBeLessThan(deadline);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async function listed(id: number) {
    const list = (await stage.alice.get('/user/submissions?leaderboard=lab&limit=50')).json();
    return listItem.strict().parse(list.find((item: { id: number }) => item.id === id));
  }

  it('accepts with 202, whole numbers for ids and a queue, on a connection that it keeps', async () => {
    const answer = await stage.bob.call(
      'POST',
      '/submission/lab-two-gpus/h100/TEST',
      cliUpload('a.py', labSubmissions.good),
    );
    expect(answer.status).toBe(202);
    expect(answer.headers.connection).toBe('keep-alive');
    expect(Number(/timeout=(\d+)/.exec(String(answer.headers['keep-alive']))?.[1])).toBeGreaterThanOrEqual(
      95,
    );
    const { status, details, runner_queue: queue } = answer.json();
    expect(status).toBe('accepted');
    expect([details.id, details.job_status_id].every(Number.isInteger)).toBe(true);
    expect(queue).toEqual({
      runner: 'Hotlap',
      gpu: 'H100',
      queued_jobs: expect.any(Number),
      running_jobs: 0,
      available_runners: 0,
      status: 'offline',
      error: 'no box with H100 can be reached',
    });
  });

  it('takes a body in pieces that end anywhere, names in raw UTF-8, and keeps the bytes as they are', async () => {
    const code = '# ünïcode ✓ — \r\n# lone \r and tab\t\ndef custom_kernel(data):\n    return "🦀"\n';
    const { headers, body } = cliUpload('größe "q" \\ 日本.py', code);
    const token = stage.bobToken;
    const { hostname, port } = new URL(stage.url);
    const head = [
      'POST /submission/lab-two-gpus/H100/test HTTP/1.1',
      `host: ${hostname}`,
      `x-popcorn-cli-id: ${token}`,
      `content-type: ${headers['content-type']}`,
      `content-length: ${body.length}`,
      'connection: close',
    ].join('\r\n');
    const text = await new Promise<string>((resolve, reject) => {
      const received: Buffer[] = [];
      const socket = connect(Number(port), hostname, async () => {
        socket.setNoDelay(true);
        socket.write(`${head}\r\n\r\n`);
        for (let at = 0; at < body.length; at += 7) {
          socket.write(body.subarray(at, at + 7));
          await new Promise((next) => setImmediate(next));
        }
      });
      socket.on('data', (data) => received.push(data));
      socket.once('error', reject);
      socket.once('close', () => resolve(Buffer.concat(received).toString('utf8')));
    });
    expect(text).toContain('202 Accepted');
    const id = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)).details.id;
    const detail = (await stage.bob.get(`/user/submissions/${id}`)).json();
    expect(detail).toMatchObject({ code, user_id: expect.any(String), done: false, runs: [] });
    // A backslash is a path on some systems, so only what is behind it is the name.
    expect(detail.file_name).toBe(' 日本.py');
    expect(detail.job).toEqual({ status: 'pending', error: null, last_heartbeat: null });
  });

  it('takes 24 submissions at once, each polled five times over kept connections', async () => {
    const carol = await stage.person('carol');
    await Promise.all(
      Array.from({ length: 24 }, async (_, n) => {
        const upload = cliUpload(`kernel-${n}.py`, `${labSubmissions.good}# ${n}\n`);
        const answer = await carol.call('POST', '/submission/lab-two-gpus/H100/benchmark', upload);
        expect(answer.status).toBe(202);
        const { id } = answer.json().details;
        for (let poll = 0; poll < 5; poll++) {
          const detail = await carol.get(`/user/submissions/${id}`);
          expect([detail.status, detail.json().id, detail.json().file_name]).toEqual([
            200,
            id,
            `kernel-${n}.py`,
          ]);
        }
      }),
    );
    const page = await carol.get('/user/submissions?limit=100');
    const ids = page.json().map((item: { id: number }) => item.id);
    expect(ids).toHaveLength(24);
    expect(ids).toEqual([...ids].sort((a, b) => b - a));
    const second = (await carol.get('/user/submissions?limit=10&offset=10')).json();
    expect(second.map((item: { id: number }) => item.id)).toEqual(ids.slice(10, 20));
  });

  it('tells a ranked submission with its public and secret scores, in detail and in the list', async () => {
    const detail = await ended(sent.good);
    expect(detail).toMatchObject({
      id: sent.good,
      leaderboard_name: 'lab',
      file_name: 'my sub (1) é.py',
      done: true,
      code: labSubmissions.good,
      status: 'done',
      reason: null,
      job: { status: 'succeeded', error: null },
      runner_queue: null,
    });
    const kinds = detail.runs.map((run) => `${run.secret ? 'secret' : 'public'} ${run.mode} ${run.runner}`);
    expect(kinds).toEqual(
      ['public', 'secret'].flatMap((kind) =>
        ['test', 'benchmark', 'leaderboard'].map((mode) => `${kind} ${mode} CPU`),
      ),
    );
    expect(detail.runs.every((run) => run.passed)).toBe(true);
    expect(detail.runs.filter((run) => run.score !== null).map((run) => run.mode)).toEqual([
      'leaderboard',
      'leaderboard',
    ]);
    // Result lines of public test and benchmark runs, and of nothing else.
    expect(detail.runs.map((run) => run.result !== undefined)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
    expect(detail.runs[0]?.result?.['test.0.status']).toBe('pass');

    const item = await listed(sent.good);
    const [, , publicRun, , , secretRun] = detail.runs;
    expect(item).toMatchObject({
      done: true,
      status: 'done',
      reason: null,
      secret_score: secretRun?.score,
      secret_scores: { CPU: secretRun?.score },
      runs: [
        { gpu_type: 'CPU', score: null },
        { gpu_type: 'CPU', score: null },
        { gpu_type: 'CPU', score: publicRun?.score },
      ],
    });
    const [entry] = (await stage.anyone.get('/submissions/LAB/cpu?limit=5')).json();
    expect(entry).toEqual({
      submission_id: sent.good,
      rank: 1,
      submission_name: 'my sub (1) é.py',
      submission_time: detail.submission_time,
      submission_score: publicRun?.score,
      leaderboard_name: 'lab',
      user_id: detail.user_id,
      user_name: 'alice',
      gpu_type: 'CPU',
    });
    expect((await stage.anyone.get('/submission_count/lab/CPU')).json()).toEqual({ count: 1 });
    const own = await stage.anyone.get(`/submission_count/lab/CPU?user_id=${detail.user_id}`);
    expect(own.json()).toEqual({ count: 1 });
  });

  it('hides the runs of one whose secret run failed, and says so without details', async () => {
    const detail = await ended(sent.publicOnly);
    expect(detail).toMatchObject({
      done: true,
      status: 'failed',
      job: { status: 'failed', error: 'CPU: the secret run failed' },
    });
    expect(await listed(sent.publicOnly)).toMatchObject({
      done: true,
      status: 'failed',
      reason: 'CPU: the secret run failed',
      runs: [],
      secret_score: null,
      secret_scores: { CPU: null },
    });
  });

  it('tells what failed in public', async () => {
    const detail = await ended(sent.wrong);
    expect(detail.job.status).toBe('failed');
    expect(detail.job.error).toMatch(/^CPU: wrong result \(test\): Test 1 of 2 failed .*: size: 8; seed: 1$/);
    expect(await listed(sent.wrong)).toMatchObject({
      status: 'failed',
      reason: 'CPU: wrong result (test)',
      mode: 'test',
      runs: [],
      secret_scores: {},
    });
  });

  it('streams a profile: status events, then the result with a report, in ASCII and by the letter of the protocol', async () => {
    const upload = cliUpload('pröfile.py', `# ✓\n${labSubmissions.good}`);
    const stream = await openStream(stage.url, '/lab/CPU/profile', {
      ...upload,
      headers: { ...upload.headers, 'x-popcorn-cli-id': stage.bobToken },
    });
    expect([stream.status, stream.contentType]).toEqual([200, 'text/event-stream; charset=utf-8']);
    await stream.ended;
    const bytes = stream.raw();
    expect(bytes.every((byte) => byte < 0x80 && byte !== 0x0d)).toBe(true);
    expect(bytes.toString().endsWith('\n\n')).toBe(true);
    const events = stream.events();
    const last = events.pop();
    expect(events.length).toBeGreaterThan(0);
    for (const { event, data } of events) {
      expect(event).toBe('status');
      expect(data).toMatchObject({
        status: 'processing',
        stage: expect.any(String),
        message: expect.any(String),
      });
      expect(Number.isInteger(data.elapsed_time)).toBe(true);
    }
    expect(last?.event).toBe('result');
    expect(last?.data).toMatchObject({ status: 'success', reports: [expect.stringContaining('pröfile.py')] });
    const [result] = last?.data.results ?? [];
    expect(result).toMatchObject({ success: true, error: '' });
    expect(Object.keys(result.runs)).toEqual(['profile.0', 'profile.1']);
    const lines = result.runs['profile.0'].run.result;
    expect(lines['benchmark-count']).toBe(1);
    expect(lines['benchmark.0.spec']).toBe('size: 20000; seed: 3');
    expect(Buffer.from(lines['benchmark.0.report'], 'base64').toString()).toContain('custom_kernel');

    // What was recorded comes along, and can be fetched by its owner.
    const { profile } = result.runs['profile.1'];
    const archive = Buffer.from(profile.trace, 'base64');
    expect(Object.keys(unzipSync(archive))).toEqual(['profile.pstats']);
    const id = last?.data.submission_id as number;
    const list = (await stage.bob.get(`/user/submissions/${id}/traces`)).json();
    expect(list).toEqual([
      {
        id: expect.any(Number),
        gpu: 'CPU',
        stage: 'profile.0',
        bytes: expect.any(Number),
        path: expect.any(String),
      },
      {
        id: expect.any(Number),
        gpu: 'CPU',
        stage: 'profile.1',
        bytes: archive.length,
        path: profile.download_url,
      },
    ]);
    const fetched = await stage.bob.get(profile.download_url);
    expect([fetched.status, fetched.headers['content-type']]).toEqual([200, 'application/zip']);
    expect(fetched.bytes.equals(archive)).toBe(true);
    for (const path of [`/user/submissions/${id}/traces`, profile.download_url]) {
      const refused = await stage.alice.get(path);
      expect([refused.status, refused.json().detail]).toEqual([
        403,
        'Not authorized to view this submission',
      ]);
      expect((await stage.anyone.get(path)).status).toBe(400);
    }
    // A recording is found by its own submission alone.
    const elsewhere = await stage.alice.get(`/user/submissions/${sent.good}/traces/${list[0].id}`);
    expect([elsewhere.status, elsewhere.json().detail]).toEqual([404, 'Trace not found']);
    expect((await stage.alice.get(`/user/submissions/${sent.good}/traces`)).json()).toEqual([]);
    expect((await stage.bob.get('/user/submissions/999999/traces')).status).toBe(404);
  });

  it('goes on with a submission whose stream was left, and ends it when its owner deletes it', async () => {
    const upload = cliUpload('hang.py', labSubmissions.hanging);
    const stream = await openStream(stage.url, '/lab/CPU/test', {
      ...upload,
      headers: { ...upload.headers, 'x-popcorn-cli-id': stage.bobToken },
    });
    await expect
      .poll(() => stream.events()[0]?.data.submission_id, { timeout: DEADLINE_MS })
      .toBeTypeOf('number');
    const id = stream.events()[0]?.data.submission_id as number;
    await expect
      .poll(() => stream.events().some(({ data }) => data.stage === 'test'), { timeout: DEADLINE_MS })
      .toBe(true);
    stream.leave();
    const detail = (await stage.bob.get(`/user/submissions/${id}`)).json();
    expect(detail.job).toMatchObject({ status: 'running', last_heartbeat: expect.any(String) });

    const refused = await stage.alice.call('DELETE', `/user/submissions/${id}`);
    expect([refused.status, refused.json().detail]).toEqual([
      403,
      'Not authorized to delete this submission',
    ]);
    const deleted = await stage.bob.call('DELETE', `/user/submissions/${id}`);
    expect([deleted.status, deleted.json()]).toEqual([200, { status: 'ok', submission_id: id }]);
    expect((await stage.bob.get(`/user/submissions/${id}`)).status).toBe(404);
    const [kept] = await stage.running.app.sql`
      select deleted_by, file_name from hotlap.deleted_submissions where id = ${id}`;
    expect(kept).toEqual({ deleted_by: detail.user_id, file_name: 'hang.py' });
  });
});
