/** What servers try beyond serving.test.ts: to be measured wrongly, to make their fault the box's, to know what is asked. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { engineProfiles } from '../../src/domain/engine-profiles.ts';
import { benchmarkStages, forkArchive, testStage } from '../support/serving.ts';
import { lastLine, listProcesses } from './runner-client.ts';
import { metric, phases, quick, ServingBox, takenPorts } from './serving-box.ts';

const serving = new ServingBox();
const { probe, ground } = serving;
const itsOwnClient = { ...ground.profile(), bench: engineProfiles.vllm.bench ?? [] };
beforeAll(() => serving.open());
afterAll(() => serving.close());
beforeEach(({ skip }) => {
  skip(probe.sandbox === 'none', `no sandbox here: ${probe.sandbox_problem}`);
});

describe('a fault of the server never becomes the box’s', () => {
  it('with log-probabilities of an odd shape', async () => {
    const { at, failure } = await serving.endOf(forkArchive('odd_logprobs'), quick, testStage);
    expect(at).toEqual(['test', 'gate', 'wrong']);
    expect(failure?.summary).toContain('No answer holds log-probabilities');
  });

  it('with an answer that is nested too deeply, and ends with its connection', async () => {
    const { at, failure } = await serving.endOf(forkArchive('deep_answer'), quick, testStage);
    expect(at).toEqual(['test', 'gate', 'wrong']);
    expect(failure?.summary).toContain('10 of 10 prompts were not answered. The first: the answer');
  });

  it('with an answer whose head never ends', async () => {
    const { at, failure } = await serving.endOf(forkArchive('floods'), quick);
    expect(at).toEqual(['test', 'gate', 'wrong']);
    expect(failure?.summary).toContain('the head of the answer is too long');
  });

  it.each([
    ['our client', { client: 'hotlap' as const }, 'an event of the stream is too long'],
    ['its own client', { client: 'vllm' as const, engine: itsOwnClient }, 'far more than was asked for'],
  ])('with an event that never ends, asked by %s', async (_, change, sentence) => {
    const { at, failure } = await serving.endOf(
      forkArchive('endless_event'),
      { ...quick, ...change },
      benchmarkStages,
    );
    expect(at).toEqual(['benchmark', 'shape 0', 'wrong']);
    expect(failure?.summary).toContain(sentence);
  });

  it('with silence at the gate, and a log without end', async () => {
    const change = { ...quick, gate_timeout_s: 1 };
    const { last, at } = await serving.endOf(forkArchive('goes_silent'), change, testStage);
    expect(at).toEqual(['test', 'gate', 'timeout']);
    expect(phases(last)).toEqual(['install passed', 'server passed', 'gate timed-out', 'cleanup passed']);
    expect(last.stdout.length).toBeLessThan(100_000);
  });
});

it('a process that a fork left while it was installed has the port of nobody, and ends with the job', async () => {
  const { last } = await serving.endOf(forkArchive('takes_the_port'), quick, testStage);
  expect([last.serving?.failure, lastLine(last, 'check')]).toEqual([null, 'pass']);
  expect(last.stdout).not.toContain('port 8321');
  expect(listProcesses(ground.folder)).toEqual([]);
  expect(takenPorts()).toEqual([]);
});

describe('the time to the first token', () => {
  it.each([
    ['our client', { client: 'hotlap' as const }],
    ['its own client', { client: 'vllm' as const, engine: itsOwnClient }],
  ])('does not end with a blank or an event without text, measured by %s', async (_, change) => {
    const { result } = await serving.serve(
      forkArchive('early_blank'),
      { ...quick, ...change },
      benchmarkStages,
    );
    const [, benchmark] = result.stages;
    expect(benchmark?.serving?.failure).toBeNull();
    for (const kind of ['mean', 'median', 'p99']) {
      expect(metric(benchmark, `${kind}_ttft_ms`), kind).toBeGreaterThanOrEqual(300);
    }
  });
});

describe('the audit', () => {
  it('reads what half a character would hide', async () => {
    const { at, failure } = await serving.endOf(forkArchive('half_characters'));
    expect(at).toEqual(['leaderboard', 'audit', 'wrong']);
    expect(failure?.summary).toMatch(/^(Of 8 answers of shape 0|Read by the pristine engine)/);
  });

  it('reads as many answers of a small shape as of a large one', async () => {
    const shapes = [
      { num_prompts: 4, input_len: 8, output_len: 16 },
      { num_prompts: 48, input_len: 32, output_len: 8 },
    ];
    const { at, failure } = await serving.endOf(forkArchive('cheap_for_some'), { shapes, audited: 4 });
    expect(at).toEqual(['leaderboard', 'audit', 'wrong']);
    expect(failure?.summary).toMatch(/^Read by the pristine engine, 4 answers of shape 0/);
  });

  it('counts the tokens of answers that it reads where the engine has no path for it', async () => {
    const { tokenize: _none, ...engine } = ground.profile();
    const { at, failure } = await serving.endOf(forkArchive('short'), { engine });
    expect(at).toEqual(['leaderboard', 'audit', 'wrong']);
    expect(failure?.summary).toBe(
      'Of 8 answers of shape 0 the pristine engine can read 64 tokens, 128 were asked for.',
    );
  });
});

it('what one job was asked is asked of no other, whatever their seed: nothing can be looked up', async () => {
  const asked: string[][] = [];
  for (const _ of [1, 2]) {
    const { result } = await serving.serve(forkArchive('writes_down'));
    const log = result.stages.map((stage) => stage.stdout).at(-1) ?? '';
    asked.push([...log.matchAll(/^ASKED (?:stream|1) (\w+)$/gm)].map(([, hash]) => hash ?? ''));
  }
  const [first = [], second = []] = asked;
  // Forced choices, and two timed runs with a request ahead of each.
  expect(first.length).toBeGreaterThan(26 + 24);
  expect(new Set([...first, ...second]).size).toBe(first.length + second.length);
});
