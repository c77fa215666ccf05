/**
 * A model-serving competition over HTTP and Discord: the steps of the public guide as they are written, with curl where
 * it uses curl, against the running app, the real runner and the tiny engine. What the guide warns of is a test each.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { detailBody, listItem } from '../../src/api/submission-bodies.ts';
import { type ApiStage, apiStage, cliUpload } from '../support/api-stage.ts';
import { openStream } from '../support/event-stream.ts';
import {
  archiveOf,
  BASELINE,
  forkArchive,
  pythonOfJobs,
  ServingGround,
  taskYaml,
} from '../support/serving.ts';
import { tarGz } from '../support/tar-archive.ts';
import { zipOf } from '../support/zip-archive.ts';

const run = promisify(execFile);
const DEADLINE_MS = 150_000;

describe('a model-serving competition', () => {
  let ground: ServingGround;
  let stage: ApiStage;
  let folder: string;
  /** Sent at the start, so that they run while the other tests look at other things. */
  let sent: Record<'faster' | 'slower' | 'blunter' | 'broken' | 'chat' | 'nowhere', number>;

  beforeAll(async () => {
    ground = new ServingGround(await pythonOfJobs());
    folder = await mkdtemp(join(tmpdir(), 'hotlap-serving-e2e-'));
    stage = await apiStage({
      env: { HOTLAP_LOCAL_SLOTS: '2' },
      prepareProblems: async (directory) => {
        const tasks = {
          tiny_serving: taskYaml(ground),
          tiny_chat: taskYaml(ground, {
            engine: `{python: ${ground.python}, completions: /v1/chat/completions}`,
          }),
          tiny_nowhere: taskYaml(ground, { engine: '{package: engine_that_is_nowhere}' }),
        };
        for (const [name, text] of Object.entries(tasks)) {
          await mkdir(join(directory, 'serving', name), { recursive: true });
          await writeFile(join(directory, 'serving', name, 'task.yml'), text);
        }
      },
    });
    for (const name of ['tiny_serving', 'tiny_chat', 'tiny_nowhere']) {
      const answer = await stage.admin.send('POST', '/admin/leaderboards', { directory: `serving/${name}` });
      expect(answer.json()).toEqual({ status: 'ok', leaderboard: `${name}-dev` });
    }
    const nowhere = archiveOf({ 'engine_that_is_nowhere/a.py': '' });
    sent = {
      nowhere: await curl('tiny_nowhere-dev', 'test', 'fork.tar.gz', nowhere, 'bob'),
      faster: await curl('tiny_serving-dev', 'leaderboard', 'vllm-fork.tar.gz', forkArchive('faster')),
      slower: await curl('tiny_serving-dev', 'leaderboard', 'slower.tgz', forkArchive('slower'), 'bob'),
      blunter: await curl('tiny_serving-dev', 'leaderboard', 'blunter.tar.gz', forkArchive('blunter'), 'bob'),
      broken: await curl('tiny_serving-dev', 'test', 'broken.tar.gz', forkArchive('broken_import'), 'bob'),
      chat: await curl('tiny_chat-dev', 'test', 'chat.tar.gz', forkArchive('faster'), 'bob'),
    };
  });
  afterAll(async () => {
    await stage?.stop();
    ground?.close();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const client = (who: 'alice' | 'bob') => stage[who];
  const header = (who: 'alice' | 'bob') =>
    `X-Popcorn-Cli-Id: ${who === 'alice' ? stage.aliceToken : stage.bobToken}`;

  /** As the guide does it; returns the submission's number. */
  async function curl(
    board: string,
    mode: string,
    name: string,
    archive: Buffer,
    who: 'alice' | 'bob' = 'alice',
  ): Promise<number> {
    const path = join(folder, name);
    await writeFile(path, archive);
    const url = `${stage.url}/submission/${board}/CPU/${mode}`;
    const { stdout } = await run('curl', ['-s', '-X', 'POST', url, '-H', header(who), '-F', `file=@${path}`]);
    const answer = JSON.parse(stdout);
    expect(answer).toMatchObject({ status: 'accepted', details: { id: expect.any(Number) } });
    return answer.details.id;
  }

  async function ended(id: number, who: 'alice' | 'bob' = 'alice') {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      const answer = await client(who).get(`/user/submissions/${id}`);
      expect(answer.status).toBe(200);
      const body = detailBody.strict().parse(answer.json());
      if (['failed', 'timed_out', 'hacked'].includes(body.job.status) || body.done) return body;
      expect(Date.now(), `submission ${id} ends in time: ${answer.text}`).toBeLessThan(deadline);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }

  it('goes as the guide says: submitted, polled, three runs with their meaning, ranked, listed', async () => {
    const body = await ended(sent.faster);
    expect(body.job).toMatchObject({ status: 'succeeded', error: null });
    const publicRuns = body.runs.filter((item) => !item.secret);
    expect(publicRuns.map((item) => [item.mode, item.passed, item.score === null])).toEqual([
      ['test', true, true],
      ['benchmark', true, true],
      ['leaderboard', true, false],
    ]);
    expect(body.runs.filter((item) => item.secret).map((item) => [item.mode, item.passed])).toEqual([
      ['test', true],
      ['benchmark', true],
      ['leaderboard', true],
    ]);
    const [test, benchmark, leaderboard] = publicRuns;
    expect(test?.result).toMatchObject({
      check: 'pass',
      measured_perplexity: '1.658776',
      baseline_perplexity: String(BASELINE),
      tolerance: '0.02',
      'phase.install': expect.stringMatching(/^passed in [\d.]+ s of 120 s, overlay$/),
    });
    expect(Number(benchmark?.result?.request_throughput)).toBeGreaterThan(0);
    expect([body.score_unit, body.score_ascending]).toEqual(['req/s', false]);
    expect(Number(leaderboard?.result?.request_throughput)).toBe(Number(leaderboard?.score));
    expect(benchmark?.result?.shape_0_request_throughput).toBe(benchmark?.result?.request_throughput);

    const admin = (await stage.admin.get(`/admin/submissions/${sent.faster}`)).json().submission;
    const ranked = admin.runs.find((item: { mode: string; secret: boolean }) => item.mode === 'leaderboard');
    expect(ranked.secret).toBe(false);
    expect(Number(ranked.result.request_throughput)).toBe(Number(leaderboard?.score));
    expect(Number(ranked.result.counted_output_tokens)).toBe(12 * 16);

    const list = (await stage.alice.get('/user/submissions?leaderboard=tiny_serving-dev&limit=50')).json();
    const item = listItem.strict().parse(list[0]);
    expect(item).toMatchObject({ id: sent.faster, file_name: 'vllm-fork.tar.gz', done: true });
    expect(item.runs.map((entry) => Number(entry.score))).toContain(Number(leaderboard?.score));
  });

  it('ranks the faster engine above the slower one, because more is better', async () => {
    const [faster, slower] = [await ended(sent.faster), await ended(sent.slower, 'bob')];
    const scoreOf = (body: typeof faster) =>
      Number(body.runs.find((item) => item.mode === 'leaderboard' && !item.secret)?.score);
    expect(scoreOf(faster)).toBeGreaterThan(scoreOf(slower));
    const entries = (await stage.anyone.get('/submissions/tiny_serving-dev/CPU')).json();
    expect(
      entries.map((entry: { submission_id: number; rank: number }) => [entry.submission_id, entry.rank]),
    ).toEqual([
      [sent.faster, 1],
      [sent.slower, 2],
    ]);
  });

  it('lets one that is outside of the tolerance not come to the benchmark', async () => {
    const body = await ended(sent.blunter, 'bob');
    expect(body.job.status).toBe('failed');
    expect(body.job.error).toMatch(/The perplexity 2\.\d+ is \d+\.\d\d% above the baseline 1\.659/);
    // The secret run may have begun beside the public one; it comes no further.
    expect(new Set(body.runs.map((item) => `${item.mode} ${item.passed}`))).toEqual(new Set(['test false']));
    expect(body.runs[0]?.result).toMatchObject({ check: 'fail', baseline_perplexity: String(BASELINE) });
  });

  it('streams as the guide says, phase by phase, to the same figures', async () => {
    const upload = cliUpload('fork.zip', zipOf({ 'f/vllm/py.typed': '', 'f/vllm/tuning.py': fastTuning }));
    const token = { 'x-popcorn-cli-id': stage.aliceToken };
    const stream = await openStream(stage.url, '/tiny_serving-dev/CPU/benchmark', {
      ...upload,
      headers: { ...upload.headers, ...token },
    });
    expect([stream.status, stream.contentType]).toEqual([200, expect.stringMatching(/^text\/event-stream/)]);
    await stream.ended;
    const events = stream.events();
    const last = events.at(-1);
    expect([last?.event, last?.data.status]).toEqual(['result', 'success']);
    const runs = last?.data.results[0].runs;
    expect(Object.keys(runs)).toEqual(['test', 'benchmark']);
    expect(runs.benchmark.run).toMatchObject({ passed: true, exit_code: 0 });
    expect(Number(runs.benchmark.run.result.output_throughput)).toBeGreaterThan(0);
    const board = (await stage.anyone.get('/leaderboards')).json();
    expect(board.find((each: { name: string }) => each.name === 'tiny_serving-dev').task).toMatchObject({
      lang: 'model',
      files: {},
      tests: [],
      benchmarks: [],
      config: { ranking_metric: 'request_throughput', perplexity_tolerance: 0.02 },
      score_unit: 'req/s',
      score_ascending: false,
    });
    expect(last?.data.reports[0]).toMatch(/requests +[\d.]+ req\/s/);
    const told = events.filter((event) => event.event === 'status').map((event) => event.data.message);
    expect(told.join('\n')).toMatch(/CPU: (queued|installing|starting|at the gate|benchmark|test)/);
  });

  describe('what the guide warns of', () => {
    it('a key `gpus` in task.yml is where the board’s GPU types come from', async () => {
      expect((await stage.anyone.get('/gpus/tiny_serving-dev')).json()).toEqual(['CPU']);
    });

    it('an archive is shown by what is in it, in every view, and its bytes are kept', async () => {
      const listing = 'An archive: 1 file, 112 bytes unpacked.\n\n112  vllm-fork/vllm/tuning.py\n';
      const id = sent.faster;
      expect((await stage.admin.get(`/admin/submissions/${id}`)).json().submission.code).toBe(listing);
      expect((await stage.alice.get(`/user/submissions/${id}`)).json().code).toBe(listing);
      const { sql } = stage.running.app;
      const [row] = await sql<{ code: Buffer }[]>`
        select c.code from leaderboard.submission s join leaderboard.code_files c on c.id = s.code_id
        where s.id = ${id}`;
      expect(row?.code.toString('utf8')).toBe(listing);
      const boards = (await stage.anyone.get('/leaderboards')).json();
      const board = boards.find((each: { name: string }) => each.name === 'tiny_serving-dev');
      const exported = await stage.admin.send('POST', '/admin/export-hf', {
        leaderboard_ids: [board.id],
        filename: 'serving.parquet',
      });
      expect(exported.status, exported.text).toBe(200);
      const [kept] = await sql<{ sha256: string; content: Buffer }[]>`
        select c.sha256, c.content from hotlap.submissions s join hotlap.code_blobs c on c.sha256 = s.code_sha256
        where s.id = ${id}`;
      expect(
        createHash('sha256')
          .update(kept?.content ?? '')
          .digest('hex'),
      ).toBe(kept?.sha256);
      expect(kept?.content.subarray(0, 2).toString('hex')).toBe('1f8b');
    });

    it('an overlay that breaks imports fails with what Python said', async () => {
      const body = await ended(sent.broken, 'bob');
      expect(body.job.error).toContain('The fork cannot be imported');
      const shown = (await stage.admin.get(`/admin/submissions/${sent.broken}`)).json().submission;
      expect(shown.runs[0].meta).toMatchObject({
        exit_code: 1,
        stderr: expect.stringContaining('kernels_that_were_never_committed'),
      });
    });

    it('a chat path fails with what the server said', async () => {
      const body = await ended(sent.chat, 'bob');
      expect(body.job.error).toContain('the server answered 400');
      expect(body.job.error).toContain('This model has no chat template');
    });

    it('an engine that is not installed is the box’s fault and says what is missing', async () => {
      const body = await ended(sent.nowhere, 'bob');
      expect(body.job).toMatchObject({ status: 'failed', error: expect.stringContaining('box') });
      expect(body.runs).toEqual([]);
      const { sql } = stage.running.app;
      const [row] = await sql<{ boxError: string }[]>`
        select box_error as "boxError" from hotlap.jobs where submission_id = ${sent.nowhere}`;
      expect(row?.boxError).toMatch(
        /^tool-missing: the engine vllm \(package engine_that_is_nowhere\) is not/,
      );
    });

    it.each([
      ['a bare package', () => tarGz([{ name: 'vllm/__init__.py' }]), 'as `vllm-fork/vllm/`'],
      ['a path that climbs out', () => tarGz([{ name: '../x' }]), "leaves the archive's folder"],
      ['a text', () => Buffer.from('import vllm\n'), 'neither a .zip nor a .tar.gz'],
    ])('an archive with %s is refused before it is queued, and nothing is stored', async (_, make, words) => {
      const { sql } = stage.running.app;
      const [before] = await sql`select count(*) as n from hotlap.submissions`;
      const answer = await stage.alice.call(
        'POST',
        '/submission/tiny_serving-dev/CPU/test',
        cliUpload('x.tar.gz', make()),
      );
      expect([answer.status, answer.json().detail]).toEqual([400, expect.stringContaining(words)]);
      expect(await sql`select count(*) as n from hotlap.submissions`).toEqual([before]);
    });

    it('a source file is refused by such a board, and an archive by every other', async () => {
      const answer = await stage.alice.call(
        'POST',
        '/submission/tiny_serving-dev/CPU/test',
        cliUpload('submission.py', 'x = 1\n'),
      );
      expect([answer.status, answer.json().detail]).toEqual([
        415,
        expect.stringContaining('.tar.gz or .tgz or .zip'),
      ]);
      const other = await stage.alice.call(
        'POST',
        '/submission/window-sums/CPU/test',
        cliUpload('fork.zip', zipOf({ 'f/vllm/a.py': '' })),
      );
      expect([other.status, other.json().detail]).toEqual([415, expect.stringContaining('.py')]);
    });
  });

  it('is judged again from its archive, and the new score counts when it is applied', async () => {
    const body = await ended(sent.faster);
    const entryOf = async () => {
      const entries = (await stage.anyone.get('/submissions/tiny_serving-dev/CPU')).json();
      return entries.find((entry: { submission_id: number }) => entry.submission_id === sent.faster);
    };
    const before = await entryOf();
    const wish = { user_id: body.user_id };
    const planned = await stage.admin.send('POST', '/admin/leaderboards/tiny_serving-dev/rejudges', wish);
    const path = `/admin/rejudges/${planned.json().rejudge.id}`;
    expect((await stage.admin.call('POST', `${path}/start`)).json().rejudge).toMatchObject({ jobs: 2 });
    const deadline = Date.now() + DEADLINE_MS;
    let report = (await stage.admin.get(path)).json();
    while (report.rejudge.status === 'running' && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      report = (await stage.admin.get(path)).json();
    }
    const [verdict] = report.verdicts;
    expect([report.rejudge.status, verdict.before.public_score, verdict.after.reason]).toEqual([
      'ready',
      Number(before.submission_score),
      null,
    ]);
    expect(verdict.after.public_score).toBeGreaterThan(0);
    expect(await entryOf()).toEqual(before);
    expect((await stage.admin.call('POST', `${path}/apply`)).json().rejudge.status).toBe('applied');
    expect((await entryOf()).submission_score).toBeCloseTo(verdict.after.public_score, 5);
  });

  it('is cancelled while its server starts, by the button below the reply', async () => {
    const { first } = stage.running.users;
    const handle = await first.slash('/submit', {
      file: { name: 'hangs.tgz', bytes: forkArchive('hangs') },
      leaderboard: 'tiny_serving-dev',
      mode: 'test',
    });
    const within = { timeoutMs: DEADLINE_MS };
    await handle.waitFor((each) => JSON.stringify(each.embeds).includes('starting the server'), within);
    await first.press(await handle.reply(), 'Cancel');
    const message = await handle.waitFor(
      (each) => each.embeds[0]?.title?.startsWith('Cancelled') === true,
      within,
    );
    expect(JSON.stringify(message.embeds)).not.toContain('Our fault');
  });

  it('is entered from Discord as well, and shows its figures there', async () => {
    const { first } = stage.running.users;
    const archive = archiveOf({ 'vllm/py.typed': '', 'vllm/tuning.py': fastTuning });
    const handle = await first.slash('/submit', {
      file: { name: 'fork.tar.gz', bytes: archive },
      leaderboard: 'tiny_serving-dev',
      mode: 'benchmark',
    });
    const message = await handle.waitFor(
      (each) => /^(Passed|Failed|Our fault)/.test(each.embeds[0]?.title ?? ''),
      { timeoutMs: DEADLINE_MS },
    );
    expect(message.embeds[0]?.title).toMatch(/^Passed/);
    const field = message.embeds[0]?.fields?.[0]?.value ?? '';
    expect(field).toMatch(/requests +[\d.]+ req\/s/);
    expect(field).toMatch(/\nms +mean +median +p99\nTTFT +[\d.]+ +[\d.]+ +[\d.]+\n/);
    // What a phone shows of a code block.
    const table = /```\n?([\s\S]*?)```/.exec(field)?.[1] ?? '';
    expect(Math.max(...table.split('\n').map((line) => line.length))).toBeLessThanOrEqual(31);
    const report = message.attachments.find((each) => each.filename.startsWith('report-'))?.filename ?? '';
    expect((await first.attachment(message, report)).toString()).toMatch(
      /^measured_perplexity: 1\.658776\nbaseline_perplexity: 1\.6588\ntolerance: 0\.02$/m,
    );
    const board = await (await first.slash('/leaderboard show', { name: 'tiny_serving-dev' })).answer();
    expect(JSON.stringify(board.embeds)).toMatch(/[\d.]+ req\/s/);
    expect(JSON.stringify(board.embeds)).toContain('higher is better');
    const mine = await (await stage.running.users.first.slash('/submissions mine')).answer();
    expect(JSON.stringify(mine.embeds)).toContain('fork.tar.gz');
    const task = await (await first.slash('/leaderboard task', { name: 'tiny_serving-dev' })).answer();
    expect(JSON.stringify(task.embeds)).toContain('request_throughput in req/s; higher is better');
  });
});

const fastTuning = 'PREFILL_S = 0.0\nTOKEN_S = 0.0005\nSTART_S = 0.0\nSHARPNESS = 1.0\n';
