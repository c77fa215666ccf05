/** Who may do what over HTTP, and how each refusal reads. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../support/api-client.ts';
import { type ApiStage, apiStage, cliUpload, withoutScheduler } from '../support/api-stage.ts';
import { labSubmissions } from '../support/lab-problems.ts';

describe('the rules of the HTTP API', () => {
  let stage: ApiStage;
  beforeAll(async () => {
    stage = await apiStage({ env: withoutScheduler });
  });
  afterAll(() => stage.stop());

  const good = cliUpload('a.py', labSubmissions.good);
  const submit = (client: ApiClient, path = 'lab-two-gpus/H100/test', upload = good) =>
    client.call('POST', `/submission/${path}`, upload);
  const refusal = async (call: Promise<{ status: number; json(): { detail: string } }>) => {
    const answer = await call;
    const { detail } = answer.json();
    expect(typeof detail).toBe('string');
    return [answer.status, detail] as const;
  };

  describe('people', () => {
    it.each([
      ['no header', {}, 400, 'Missing X-Web-Auth-Id or X-Popcorn-Cli-Id header'],
      ['an empty one', { 'x-popcorn-cli-id': '' }, 400, 'Missing X-Web-Auth-Id or X-Popcorn-Cli-Id header'],
      ['an unknown one', { 'x-popcorn-cli-id': 'nobody' }, 401, 'Invalid or unauthorized auth header'],
      ['an odd one', { 'x-web-auth-id': 'a b' }, 401, 'Invalid or unauthorized auth header'],
    ])('are refused with %s', async (_what, headers, status, detail) => {
      const client = stage.anyone.as(headers as Record<string, string>);
      expect(await refusal(client.get('/user/submissions'))).toEqual([status, detail]);
      expect(await refusal(submit(client))).toEqual([status, detail]);
    });

    it('may come by either header; the website’s wins, without a fall-back', async () => {
      const both = { 'x-popcorn-cli-id': stage.bobToken, 'x-web-auth-id': 'nobody' };
      expect((await stage.anyone.as(both).get('/user/submissions')).status).toBe(401);
      expect((await stage.website.get('/user/submissions')).json()).toEqual([]);
      expect((await submit(stage.website)).status).toBe(202);
      expect((await stage.alice.get('/user/submissions')).json()).toHaveLength(1);
    });

    it('are told what a body lacks', async () => {
      const join = (body: unknown) => refusal(stage.bob.send('POST', '/user/join', body));
      expect(await join({ code: 5 })).toEqual([422, 'code: must be of type string']);
      expect(await join({ code: 'x'.repeat(201) })).toEqual([422, 'code: must have at most 200 characters']);
      expect(await join(null)).toEqual([422, 'body: is missing']);
      expect(await refusal(stage.bob.get('/user/submissions?leaderboard='))).toEqual([
        422,
        'leaderboard: must not be empty',
      ]);
      expect(await refusal(stage.anyone.get('/auth/init'))).toEqual([422, 'provider: is missing']);
    });

    it('need the command line’s header where it alone is taken, and no body is read before', async () => {
      for (const path of ['/lab/CPU/test', '/user/join']) {
        const missing = refusal(stage.website.call('POST', path, good));
        expect(await missing).toEqual([400, 'Missing X-Popcorn-Cli-Id header']);
        const wrong = stage.anyone.as({ 'x-popcorn-cli-id': 'nobody' });
        expect(await refusal(wrong.call('POST', path, good))).toEqual([
          401,
          'Invalid or unauthorized X-Popcorn-Cli-Id',
        ]);
      }
    });

    it('see public boards without a header, but not with a wrong one', async () => {
      expect((await stage.anyone.get('/gpus/lab-two-gpus')).json()).toEqual(['CPU', 'H100']);
      const wrong = stage.anyone.as({ 'x-popcorn-cli-id': 'nobody' });
      expect(await refusal(wrong.get('/gpus/lab'))).toEqual([401, 'Invalid or unauthorized auth header']);
    });
  });

  describe('a submission', () => {
    it.each([
      ['an unknown mode', 'lab/CPU/bogus', good, 400, /^`bogus` is not a mode/],
      [
        'a board that is not there',
        'nowhere/CPU/test',
        good,
        404,
        /^There is no leaderboard `nowhere`\. Open now: .*lab/,
      ],
      [
        'a GPU that the board has not',
        'lab/T4/test',
        good,
        400,
        /^`lab` does not run on `T4`\. It runs on: CPU\./,
      ],
      ['an empty file', 'lab/CPU/test', cliUpload('a.py', ''), 400, /empty/],
      [
        'a file that is not UTF-8',
        'lab/CPU/test',
        cliUpload('a.py', Buffer.from([0x78, 0xff, 0xfe])),
        415,
        /UTF-8/,
      ],
      ['another extension', 'lab/CPU/test', cliUpload('a.zip', 'x = 1'), 415, /does not end in \.py/],
      [
        'an archive where none is taken, however large',
        'lab/CPU/test',
        cliUpload('a.tar.gz', Buffer.alloc(3_000_000)),
        415,
        /does not end in \.py/,
      ],
      [
        'a file beyond the limit',
        'lab/CPU/test',
        cliUpload('a.py', `#${'x'.repeat(1_000_000)}`),
        413,
        /at most 1000000 bytes/,
      ],
      [
        'a far larger one',
        'lab/CPU/test',
        cliUpload('a.py', `#${'x'.repeat(5_000_000)}`),
        413,
        /at most 1000000 bytes/,
      ],
      [
        'a header for another board',
        'lab/CPU/test',
        cliUpload('a.py', '#!POPCORN leaderboard other\nx = 1'),
        400,
        /other/,
      ],
      [
        'a bad header line',
        'lab/CPU/test',
        cliUpload('a.py', '#!POPCORN\nx = 1'),
        400,
        /^Line 1 of the file/,
      ],
      ['a deadline that has passed', 'lab-over/CPU/test', good, 403, /^The deadline of `lab-over` passed/],
      ['no part of a file', 'lab/CPU/test', { ...good, body: Buffer.from('--x--') }, 422, /multipart/],
    ])('is refused with %s', async (_what, path, upload, status, detail) => {
      const before = (await stage.bob.get('/user/submissions?limit=100')).json().length;
      for (const whole of [`/submission/${path}`, `/${path}`]) {
        const answer = await stage.bob.call('POST', whole, upload);
        expect([answer.status, answer.headers['content-type']]).toEqual([
          status,
          'application/json; charset=utf-8',
        ]);
        expect(answer.json().detail).toMatch(detail);
        // No slash command helps at a command line.
        expect(answer.json().detail).not.toMatch(/`\/[a-z]/);
      }
      expect((await stage.bob.get('/user/submissions?limit=100')).json()).toHaveLength(before);
    });

    it('may have exactly the largest size, and the GPU type of the URL over that of its header', async () => {
      const largest = '#!POPCORN gpus CPU\n'.padEnd(1_000_000, '#');
      const answer = await submit(stage.bob, 'LAB-two-GPUS/h100/Benchmark', cliUpload('big.py', largest));
      expect(answer.status).toBe(202);
      const detail = (await stage.bob.get(`/user/submissions/${answer.json().details.id}`)).json();
      expect([detail.leaderboard_name, detail.mode, detail.code.length]).toEqual([
        'lab-two-gpus',
        'benchmark',
        1_000_000,
      ]);
    });

    it('that breaks off leaves nothing, and other requests go on', async () => {
      const { hostname, port } = new URL(stage.url);
      const before = (await stage.bob.get('/user/submissions?limit=100')).json().length;
      const socket = connect(Number(port), hostname);
      socket.on('error', () => {});
      const head = `POST /submission/lab/CPU/test HTTP/1.1\r\nhost: x\r\nx-popcorn-cli-id: ${stage.bobToken}\r\n`;
      socket.write(
        `${head}content-type: ${good.headers['content-type']}\r\ncontent-length: ${good.body.length}\r\n\r\n`,
      );
      socket.write(good.body.subarray(0, 100));
      await new Promise((resolve) => setImmediate(resolve));
      socket.destroy();
      expect((await stage.bob.get('/user/submissions?limit=100')).json()).toHaveLength(before);
    });
  });

  describe('lists', () => {
    it.each([
      ['/user/submissions?limit=0', 400, 'limit must be between 1 and 100'],
      ['/user/submissions?limit=101', 400, 'limit must be between 1 and 100'],
      ['/user/submissions?offset=-1', 400, 'offset must be >= 0'],
      ['/user/submissions?limit=ten', 422, /^limit: must be a whole number$/],
      ['/user/submissions/x', 422, /^id: must be a whole number$/],
      ['/user/submissions/99999999999999999999999999', 404, 'Submission not found'],
      ['/user/submissions/-4', 404, 'Submission not found'],
      ['/submissions/lab/CPU?limit=-1', 400, 'limit must be between 1 and 1000'],
      ['/submissions/nowhere/CPU', 404, /^There is no leaderboard/],
      [
        '/submissions/lab/T4',
        404,
        "GPU type 'T4' is not supported for leaderboard 'lab'. Supported GPUs: CPU",
      ],
      ['/submission_count/lab/T4', 404, /not supported/],
      ['/gpus/nowhere', 404, /^There is no leaderboard/],
      ['/user/submissions?leaderboard=%00', 422, /cannot be used/],
    ])('%s is refused', async (path, status, detail) => {
      const [gotStatus, gotDetail] = await refusal(stage.bob.get(path));
      expect(gotStatus).toBe(status);
      expect(gotDetail).toEqual(typeof detail === 'string' ? detail : expect.stringMatching(detail));
    });

    it('of a board that is not there are empty, and far pages too', async () => {
      expect((await stage.bob.get('/user/submissions?leaderboard=nowhere&limit=50')).json()).toEqual([]);
      expect((await stage.bob.get('/user/submissions?offset=99999999999999999999')).json()).toEqual([]);
      const dollar = await stage.bob.get('/user/submissions?leaderboard=$1;drop');
      expect([dollar.status, dollar.json()]).toEqual([200, []]);
    });

    it('show all boards with what the client needs, and no seed', async () => {
      const answer = await stage.anyone.get('/leaderboards');
      const boards = answer.json();
      expect(boards.length).toBeGreaterThan(5);
      for (const board of boards) {
        expect([typeof board.task, typeof board.name, typeof board.description]).toEqual([
          'object',
          'string',
          'string',
        ]);
        expect(Number.isInteger(board.id)).toBe(true);
      }
      const lab = boards.find((board: { name: string }) => board.name === 'lab');
      expect(lab).toMatchObject({
        gpu_types: ['CPU'],
        visibility: 'public',
        deadline: null,
        task: {
          lang: 'py',
          config: { main: 'eval.py' },
          tests: [
            { size: 8, seed: 1 },
            { size: 100, seed: 2 },
          ],
          ranking_by: 'geom',
        },
      });
      expect(lab.task.files['submission.py']).toBe('@SUBMISSION@');
      expect(answer.text).not.toContain('secret_seed');
    });

    it('tell the queue of any GPU type', async () => {
      expect((await stage.anyone.get('/runner_queue/T9')).json()).toMatchObject({
        runner: 'unknown',
        gpu: 'T9',
        error: 'unknown gpu',
      });
      const known = (await stage.anyone.get('/runner_queue/h100')).json();
      expect(known).toMatchObject({ runner: 'Hotlap', gpu: 'H100' });
      expect(known.queued_jobs).toBeGreaterThan(0);
    });
  });
});
