/** What model serving needs of a box, and what it leaves on it: nothing, however a job ends. */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { engineProfiles } from '../../src/domain/engine-profiles.ts';
import type { ServingSpec } from '../../src/domain/serving-protocol.ts';
import { archiveOf, benchmarkStages, forkArchive, testStage } from '../support/serving.ts';
import { lastLine, listProcesses, RunnerRefusal, waitFor } from './runner-client.ts';
import { filesBelow, groupsOf, quick, ServingBox, takenPorts, treeHash } from './serving-box.ts';

const serving = new ServingBox();
const { box, probe, ground } = serving;
beforeAll(() => serving.open());
afterAll(() => serving.close());
beforeEach(({ skip }) => {
  skip(probe.sandbox === 'none', `no sandbox here: ${probe.sandbox_problem}`);
});

describe('what the box lacks', () => {
  it.each([
    [
      'the engine',
      { engine: { ...ground.profile(), package: 'no_such_engine' } },
      'the engine vllm (package no_such_engine) is not installed here',
    ],
    ['the model', { model: 'nobody/nothing-8B' }, 'the model nobody/nothing-8B is not on this machine'],
  ])('is the box’s fault, never the submission’s: %s', async (_, change, sentence) => {
    const { result } = await serving.serve(forkArchive('faster'), { ...quick, ...change }, testStage);
    expect([result.outcome, result.error?.kind, result.stages]).toEqual(['box-error', 'tool-missing', []]);
    expect(result.error?.message).toContain(sentence);
  });

  it('is an interpreter that a job cannot run, which is said of it', async () => {
    const python = join(ground.folder, 'closed', 'bin', 'python');
    mkdirSync(dirname(python), { recursive: true });
    // As one whose own interpreter lies in a closed home.
    writeFileSync(python, '#!/home/of/somebody/python\n', { mode: 0o755 });
    const engine = { ...ground.profile(), package: 'no_such_engine', pythons: [python] };
    const { result } = await serving.serve(forkArchive('faster'), { ...quick, engine }, testStage);
    expect(result.error?.message).toContain(`tried ${python} (which a job's user cannot run), /`);
  });

  it('is an archive that did not come whole', async () => {
    const archive = forkArchive('faster');
    const job = await serving.bring(archive, quick, testStage);
    await serving.agent.request('put', {
      job_key: job.job_key,
      offset: 0,
      data: archive.subarray(0, 50).toString('base64'),
    });
    const { result } = await serving.agent.run(job);
    expect(result.error).toEqual({
      kind: 'runner-crashed',
      message: 'the archive of the job arrived damaged',
    });
  });

  it('is refused where a piece does not fit', async () => {
    const wrong = [
      { job_key: '../up', offset: 0, data: '' },
      { job_key: 'p.1', offset: 5, data: 'AAAA' },
      { job_key: 'p.1', offset: 0, data: 'no base64!' },
      { job_key: 'p.1', offset: 64 * 1024 * 1024, data: 'AAAA' },
    ];
    for (const request of wrong) {
      await expect(serving.agent.request('put', request)).rejects.toThrow(RunnerRefusal);
    }
  });
});

const itsOwnClient: Partial<ServingSpec> = {
  client: 'vllm',
  engine: { ...ground.profile(), bench: engineProfiles.vllm.bench ?? [] },
};

describe('ending', () => {
  it.each([
    ['installing', { 'vllm/__init__.py': 'import time\ntime.sleep(3600)\n' }],
    ['starting', { 'vllm/tuning.py': 'START_S = 3600\nSHARPNESS = 1.0\n' }],
    ['gate', { 'vllm/tuning.py': 'START_S = 0\nPREFILL_S = 0\nTOKEN_S = 3600\nSHARPNESS = 1.0\n' }],
    ['reference', {}],
    ['running', null],
    ['running', null, itsOwnClient],
    ['auditing', null],
  ])('works while %s: nothing of the job is left', async (state, files, more = {}) => {
    const archive = files ? archiveOf({ 'vllm/py.typed': '', ...files }) : forkArchive('faster');
    const isLate = state === 'running' || state === 'auditing';
    const change = { ...(state === 'reference' || isLate ? {} : quick), ...more };
    const job = await serving.bring(archive, change);
    await serving.agent.start(job, 7);
    const reached = Promise.withResolvers<void>();
    const following = serving.agent.follow(job.job_key, 0, (event) => {
      if (event.type === 'stage' && event.state === state) reached.resolve();
    });
    await reached.promise;
    const { dev, ino } = statSync(box.jobFolder(job.job_key));
    const groups = () => groupsOf(`hotlap-${dev}.${ino}-`);
    if (state === 'running' && probe.limits !== 'rlimits') expect(groups()).not.toEqual([]);
    await serving.agent.request('cancel', { job_key: job.job_key });
    const { result } = await following;
    expect([result.outcome, result.error]).toEqual(['cancelled', null]);
    expect(listProcesses(ground.folder).concat(groups())).toEqual([]);
  });

  it('leaves a process of another that has the engine’s name alone', async () => {
    const decoy = [
      '-c',
      `exec -a "python -m vllm.entrypoints.openai.api_server decoy-${process.pid}" sleep 600`,
    ];
    const other = spawn('bash', decoy, { stdio: 'ignore' });
    try {
      await waitFor('the decoy', () => listProcesses(`decoy-${process.pid}`).length === 1);
      const { result } = await serving.serve(forkArchive('survivor'), quick, testStage);
      expect(result.stages.map((stage) => lastLine(stage, 'check'))).toEqual(['pass']);
      expect(listProcesses(`decoy-${process.pid}`)).toHaveLength(1);
    } finally {
      other.kill('SIGKILL');
    }
  });
});

describe('a box without a sandbox', () => {
  it('goes through the same phases, and ends what a fork leaves behind all the same', async () => {
    const job = await serving.bring(forkArchive('survivor'));
    const { result } = await serving.agent.run({ ...job, sandbox: 'off' });
    expect([result.error, result.sandbox]).toEqual([null, 'none']);
    expect(result.stages.map((stage) => [lastLine(stage, 'check'), stage.serving?.failure])).toEqual([
      ['pass', null],
      ['pass', null],
      ['pass', null],
    ]);
    expect(listProcesses(ground.folder)).toEqual([]);
    expect(takenPorts()).toEqual([]);
  });
});

describe('twenty submissions in a row', () => {
  it('leave the box as it was: no process, port, file or change of the environment', async () => {
    const kinds = [
      'faster',
      'survivor',
      'broken_import',
      'will_not_start',
      'remembers',
      'kills_its_launcher',
      'floods',
    ];
    const archives = kinds.map((kind) => forkArchive(kind));
    const markers: string[] = [];
    const look = () => ({
      processes: [ground.folder, box.root]
        .flatMap((name) => listProcesses(name))
        .filter((line) => !line.includes('runner.zip')),
      ports: takenPorts(),
      environment: treeHash(ground.folder),
      files: filesBelow(box.root),
      shared: ['/tmp', '/var/tmp', '/dev/shm'].filter((folder) => filesIn(folder).includes('answers.json')),
    });
    const run = async (number: number) => {
      const archive = archives[number % archives.length];
      if (!archive) throw new Error('no archive');
      const { result } = await serving.serve(archive, quick, number % 5 === 0 ? benchmarkStages : testStage);
      expect([result.outcome, result.error]).toEqual(['finished', null]);
      const { dev, ino } = statSync(box.jobFolder(result.job_key));
      markers.push(`hotlap-${dev}.${ino}-`);
      const { removed } = await serving.agent.request('forget', { job_key: result.job_key });
      expect(removed).toBe(true);
      return result.stages.map((stage) => lastLine(stage, 'check'));
    };
    // The first one ever makes the folders that stay.
    await run(0);
    const before = look();
    const checks: (string | undefined)[][] = [];
    for (let number = 0; number < 20; number++) checks.push(await run(number));
    expect(look()).toEqual(before);
    expect(before.processes.concat(before.ports, before.shared)).toEqual([]);
    // The number of a folder that is gone may be that of another test's job by now; that one takes its groups away.
    const groups = () => markers.flatMap((marker) => groupsOf(marker));
    await expect.poll(groups, { timeout: 90_000, interval: 100 }).toEqual([]);
    expect(checks.filter((check) => check.at(-1) === 'pass').length).toBeGreaterThan(5);
  });
});

function filesIn(folder: string): string[] {
  return readdirSync(folder);
}
