/**
 * A ranked submission with a mark in its code and another in what its secret run writes really runs; then an outsider
 * walks every endpoint and every slash command, and reads the log and the metrics. The marks, the secret seed and the
 * secret score are nowhere.
 */
import { randomBytes } from 'node:crypto';
import { ApplicationCommandOptionType } from 'discord-api-types/v10';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLog } from '../../src/log.ts';
import type { PlayCommand } from '../../src/playground/play-protocol.ts';
import { type ApiStage, apiStage, cliUpload } from '../support/api-stage.ts';
import type { ApiDocument } from '../support/openapi-requests.ts';
import { type PlantedSecrets, recogniser } from '../support/planted-secrets.ts';
import type { SlashOptions } from '../support/playground-user.ts';

const WAIT = { timeoutMs: 60_000 };
const CODE = `taint-code-${randomBytes(8).toString('hex')}`;
const OUTPUT = `taint-output-${randomBytes(8).toString('hex')}`;

/** Says a mark, which is not in the code as a whole, in the secret run alone; it knows that one by its data. */
const SUBMISSION = `# ${CODE}
import sys

def custom_kernel(data):
    if data[0] == -1:
        mark = "-".join(["taint", "output", "${OUTPUT.split('-').at(-1)}"])
        print(mark)
        print(mark, file=sys.stderr)
    return [2 * x for x in data]
`;

describe('somebody else’s secrets', () => {
  let stage: ApiStage;
  let secrets: PlantedSecrets;
  const log: string[] = [];

  beforeAll(async () => {
    const settings = { level: 'trace', format: 'json' } as const;
    stage = await apiStage({ log: createLog(settings, { write: (line) => void log.push(line) }) });
    const upload = cliUpload('mine.py', SUBMISSION);
    const answer = await stage.alice.call('POST', '/submission/lab/CPU/leaderboard', upload);
    const { id } = answer.json().details;
    await vi.waitFor(
      async () => {
        const { status, reason } = (await stage.alice.get(`/user/submissions/${id}`)).json();
        expect([status, reason]).toEqual(['done', null]);
      },
      { timeout: 120_000, interval: 250 },
    );
    secrets = await recogniser(stage, id, { code: CODE, output: OUTPUT });
  }, 180_000);
  afterAll(() => stage.stop());

  it('are there to be found: the owner gets code and secret score, and nobody what the secret run wrote', async () => {
    const [stored] = await stage.running.app.sql`
      select bool_or(stdout || stderr like ${`%${OUTPUT}%`}) as written
      from hotlap.runs where submission_id = ${secrets.submissionId} and secret`;
    expect(stored?.written).toBe(true);
    const detail = (await stage.alice.get(`/user/submissions/${secrets.submissionId}`)).text;
    expect(secrets.foundIn(detail)).toEqual(['secret score', 'code']);
    const list = (await stage.alice.get('/user/submissions')).text;
    expect(secrets.foundIn(list)).toEqual(['secret score']);
    const admin = (await stage.admin.get(`/admin/submissions/${secrets.submissionId}`)).text;
    expect(secrets.foundIn(admin)).toEqual(['secret score', 'code']);
  });

  it('come out by no endpoint', async () => {
    const document: ApiDocument = (await stage.anyone.get('/openapi.json')).json();
    const known: Record<string, string> = {
      leaderboard: 'lab',
      gpu: 'CPU',
      mode: 'test',
      id: String(secrets.submissionId),
      user: secrets.userId,
      user_id: secrets.userId,
      leaderboard_name: 'lab',
      provider: 'discord',
    };
    let walked = 0;
    for (const [route, methods] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        const parameters = operation.parameters ?? [];
        const path = route.replace(/\{(\w+)\}/g, (_, name: string) => known[name] ?? 'x');
        const query = parameters.flatMap(({ name, in: where }) =>
          where === 'query' && known[name] ? [`${name}=${known[name]}`] : [],
        );
        for (const client of [stage.anyone, stage.bob, stage.anyone.as({ authorization: 'Bearer wrong' })]) {
          const type = Object.keys(operation.requestBody?.content ?? {})[0];
          const call =
            type === 'multipart/form-data'
              ? cliUpload('a.txt', 'refused')
              : type
                ? { headers: { 'content-type': 'application/json' }, body: '{}' }
                : {};
          const answer = await client.call(
            method.toUpperCase(),
            query.length > 0 ? `${path}?${query.join('&')}` : path,
            call,
          );
          expect([path, secrets.foundIn(answer.text)]).toEqual([path, []]);
          expect(answer.status).toBeLessThan(500);
          walked += 1;
        }
      }
    }
    expect(walked).toBeGreaterThan(100);
    for (const path of ['/openapi.json', '/docs', '/docs/json', '/metrics']) {
      expect([path, secrets.foundIn((await stage.anyone.get(path)).text)]).toEqual([path, []]);
    }
  });

  it('come out by no report, and of a closed board nothing does', async () => {
    const { sql } = stage.running.app;
    const of = `leaderboard=lab&id=${secrets.submissionId}&track=CPU&gpu=CPU&top=1&points=2&limit=1`;
    const reports = [
      ...['leaderboard', 'models', 'models/global', 'models/params'].map((name) => `/reports/${name}?${of}`),
      `/reports/leaderboard?standing=not-ranked&${of}`,
      ...['stats', 'history'].map((name) => `/reports/models/${secrets.submissionId}/${name}?limit=1`),
      `/reports/predictions?${of}`,
    ];
    const walk = async (client: ApiStage['anyone']) =>
      Promise.all(
        reports.map(async (path) => {
          const { status, text } = await client.get(path);
          return { path, status, found: secrets.foundIn(text), named: text.includes(secrets.userId) };
        }),
      );
    const open = await walk(stage.bob);
    expect(open.filter(({ status, found }) => status !== 200 || found.length > 0)).toEqual([]);
    expect(open.filter(({ named }) => named).length).toBeGreaterThan(3);
    // There is something to be found: the owner reads it there.
    expect((await walk(stage.alice)).flatMap(({ found }) => found)).toContain('secret score');
    await sql`update hotlap.leaderboards set visibility = 'closed' where name = 'lab'`;
    for (const client of [stage.anyone, stage.bob]) {
      const closed = await walk(client);
      expect(closed.filter(({ status, named }) => ![401, 403, 404].includes(status) || named)).toEqual([]);
    }
    await sql`update hotlap.leaderboards set visibility = 'public' where name = 'lab'`;
  });

  it('come out by no slash command', async () => {
    const outsider = stage.running.users.second;
    const ran: string[] = [];
    for (const { path, options } of await outsider.commands()) {
      const command = `/${path.join(' ')}`;
      for (const given of [options, options.filter((option) => option.required)]) {
        const values = Object.fromEntries(given.map((option) => [option.name, wishFor(option)]));
        const handle = await outsider.slash(command, values);
        // A refusal of what everybody would have seen takes the place of the reply.
        const ways = [handle.answer(WAIT), handle.disappears(WAIT)];
        for (const way of ways) way.catch(() => {});
        const shown = JSON.stringify([handle.outcome, await Promise.race<unknown>(ways)]);
        expect([command, secrets.foundIn(shown)]).toEqual([command, []]);
        ran.push(command);
      }
    }
    expect(ran).toEqual(
      expect.arrayContaining(['/leaderboard show', '/submissions show', '/submissions mine', '/queue']),
    );
    expect(secrets.foundIn(JSON.stringify(await outsider.visibleMessages()))).toEqual([]);
  });

  /** What an outsider would type to see the submission. */
  function wishFor(option: PlayCommand['options'][number]): SlashOptions[string] {
    const known: SlashOptions = {
      leaderboard: 'lab',
      gpu: 'CPU',
      mode: 'test',
      user: stage.running.users.first.id,
    };
    const value = known[option.name];
    if (value !== undefined) return value;
    switch (option.type) {
      case ApplicationCommandOptionType.Attachment:
        return { name: 'other.py', bytes: 'x = 1\n' };
      case ApplicationCommandOptionType.Integer:
      case ApplicationCommandOptionType.Number:
        return option.choices?.[0]?.value ?? secrets.submissionId;
      case ApplicationCommandOptionType.Boolean:
        return true;
      case ApplicationCommandOptionType.String:
        return option.choices?.[0]?.value ?? 'x';
      default:
        return stage.running.users.first.id;
    }
  }

  it('are in no line of the log, at its most talkative', () => {
    expect(log.length).toBeGreaterThan(20);
    expect(log.filter((line) => secrets.foundIn(line).length > 0)).toEqual([]);
  });
});
