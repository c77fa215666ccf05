/** Jobs in a real Slurm queue: waiting, running, cancelled, lost, and what a restart of agent or controller does to them. */
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BoxConnection } from '../../src/boxes/connection.ts';
import { forgetJob } from '../../src/boxes/run-on-box.ts';
import { forkArchive, pythonOfJobs, ServingGround, testStage } from '../support/serving.ts';
import {
  anyNode,
  begin,
  endless,
  expectWhole,
  fast,
  held,
  progressed,
  running,
  SlurmBox,
  slow,
  slurmBoxMissing,
  squares,
  waiting,
} from '../support/slurm-box.ts';

const missing = slurmBoxMissing();
let box: SlurmBox;
beforeAll(async () => {
  if (missing === null) box = await SlurmBox.start();
});
afterAll(() => box?.remove());
beforeEach(({ skip }) => skip(missing !== null, missing ?? ''));

describe.concurrent('a job that waits', () => {
  it('says why, and is carried on when its agent is killed then and when it runs', async () => {
    const giveBack = await box.occupyGpus();
    const connection = await box.connectTo('slurm');
    const { job, events, run, seen } = begin(connection, squares(slow, 10));
    await seen(waiting);
    const first = await connection.agent();
    process.kill(first.hello.pid, 'SIGKILL');
    expect(await first.closed).toMatchObject({ kind: 'channel-lost' });
    await giveBack();
    await seen(progressed);
    process.kill((await connection.agent()).hello.pid, 'SIGKILL');
    expectWhole(events, await run, 10);
    expect(events.find(waiting)).toMatchObject({ reason: expect.stringMatching(/^(Resources|Priority)$/) });
    await forgetJob(connection, job.job_key);
    expect(await (await connection.agent()).status(job.job_key)).toBe('unknown');
  });

  it('is not submitted twice when the answer to its submission was lost', async () => {
    const earlier = await box.connectTo('slurm here', held);
    const job = squares(fast, 2);
    expect(await (await earlier.agent()).start(job, null)).toEqual({ attached: false });
    await earlier.close();
    const [submitted] = await box.jobsOf(job);
    await writeFile(join(box.jobFolder(job), 'slurm.json'), '');
    const later = await box.connectTo('slurm', held);
    const { events, run, seen } = begin(later, job);
    await seen(waiting);
    expect(await box.jobsOf(job)).toEqual([submitted]);
    expect(JSON.parse(await readFile(join(box.jobFolder(job), 'slurm.json'), 'utf8'))).toEqual({
      job_id: submitted?.id,
    });
    await box.release(job);
    expectWhole(events, await run, 2);
  });

  it('never runs once it is cancelled, and leaves the queue', async () => {
    const { job, run, seen, abort } = begin(await box.connectTo('slurm here', held), squares(fast, 1), 99);
    await seen(waiting);
    abort.abort();
    expect(await run).toMatchObject({ outcome: 'cancelled', stages: [] });
    expect(await box.jobsOf(job)).toEqual([]);
    expect(await readdir(box.jobFolder(job))).not.toContain('ticket.json');
  });
});

describe.concurrent('a job that serves a model', () => {
  it('has its archive with it when it runs, however long it waited', async () => {
    const connection = await box.connectTo('slurm', held);
    const ground = new ServingGround(await pythonOfJobs());
    const archive = forkArchive('faster');
    const { job, run, seen } = begin(connection, ground.job('900.1', archive, {}, testStage), 5, archive);
    await seen(waiting);
    await box.release(job);
    const result = await run;
    ground.close();
    expect([result.error, result.stages.map((stage) => stage.lines.at(-1))]).toEqual([
      null,
      [['check', 'pass']],
    ]);
    await forgetJob(connection, job.job_key);
    expect(await readdir(join(box.folder, 'root', 'test.7', 'incoming'))).toEqual([]);
  });
});

describe.concurrent('a job that runs', () => {
  it('is dead and out of the queue when its cancellation is answered', async () => {
    const connection = await box.connectTo('slurm', anyNode);
    const { job, events, run, seen } = begin(connection, squares(endless, 1));
    await seen(running);
    expect(await (await connection.agent()).cancel(job.job_key)).toEqual({ found: true });
    expect(await box.jobsOf(job)).toEqual([]);
    expect(await run).toMatchObject({ outcome: 'cancelled', error: null });
    const started = events.find((event) => event.type === 'started');
    expect(await isDead(started?.type === 'started' ? started.pid : 0)).toBe(true);
  });

  it('is swept away when nobody keeps it, and only then', async () => {
    // An instance of its own: what others test is not to be swept.
    const connection = await box.connectTo('slurm here', anyNode, { id: '8' });
    const [kept, doomed] = [begin(connection, squares(endless, 1)), begin(connection, squares(endless, 1))];
    await Promise.all([kept.seen(running), doomed.seen(running)]);
    const agent = await connection.agent();
    expect(await agent.sweep([kept.job.job_key], 600)).toEqual({ removed: [] });
    const { removed } = await agent.sweep([kept.job.job_key]);
    expect(removed).toContain(doomed.job.job_key);
    expect(removed).not.toContain(kept.job.job_key);
    expect(await box.jobsOf(doomed.job)).toEqual([]);
    expect(await box.jobsOf(kept.job)).toHaveLength(1);
  });

  it('and vanishes is the cluster’s failure, with what Slurm still knows', async () => {
    const connection = await box.connectTo('slurm', anyNode);
    const { job, events, run, seen } = begin(connection, squares(endless, 1));
    await seen(running);
    const scratch = createHash('sha256').update(box.jobFolder(job)).digest('hex').slice(0, 32);
    expect((await onNode()).filter((name) => name.startsWith(scratch))).toHaveLength(2);
    const started = events.find((event) => event.type === 'started');
    if (started?.type === 'started') process.kill(started.pid, 'SIGKILL');
    await expect(run).rejects.toMatchObject({
      kind: 'runner-crashed',
      message: expect.stringMatching(/ended without a result; Slurm's job \d+ is FAILED \(.*ExitCode 0:9/),
    });
    expect(await box.jobsOf(job)).toEqual([]);
    // What it left on the node's disk goes with the next job there.
    await begin(connection, squares(fast, 1)).run;
    expect((await onNode()).filter((name) => name.startsWith(scratch))).toEqual([]);
  });

  it('and is ended by somebody else is not taken for cancelled', async () => {
    const { job, run, seen } = begin(await box.connectTo('slurm here', anyNode), squares(endless, 1));
    await seen(running);
    const [entry] = await box.jobsOf(job);
    await box.cluster.run('scancel', String(entry?.id));
    await expect(run).rejects.toMatchObject({
      kind: 'runner-crashed',
      message: expect.stringContaining('ended by somebody else'),
    });
  });

  it('runs once, however often Slurm starts it', async () => {
    const connection = await box.connectTo('slurm here', anyNode);
    const { job, events, run } = begin(connection, squares(fast, 2));
    const result = await run;
    const again = join(box.folder, 'again.log');
    const { runner, python } = await commandOf(connection);
    const command = `${python} ${runner} supervise --root ${join(box.folder, 'root')} --instance test.7 ${job.job_key}`;
    await box.cluster.run('sbatch', '--wait', `--output=${again}`, `--wrap=${command}`);
    expect(await readFile(again, 'utf8')).toMatch(/has no ticket/);
    const { events: stored, run: second } = begin(connection, job);
    expect(await second).toEqual(result);
    expect(stored).toEqual(events.filter((event) => event.type !== 'waiting'));
  });
});

describe('a restart of Slurm’s controller', () => {
  it('does not end a job that runs, and holds up one that is started meanwhile', async () => {
    const connection = await box.connectTo('slurm', {}, { patienceS: 3 });
    const old = begin(connection, squares(slow, 10));
    await old.seen(progressed);
    await box.cluster.stopController();
    const fresh = begin(connection, squares(fast, 2));
    await expect((await connection.agent()).sweep([])).rejects.toMatchObject({ kind: 'cluster-away' });
    expectWhole(old.events, await old.run, 10);
    expect(fresh.events).toEqual([]);
    await box.cluster.startController();
    expectWhole(fresh.events, await fresh.run, 2);
  });
});

/** What jobs of this user have on the node's own disk. */
const onNode = () => readdir(join(tmpdir(), `hotlap-slurm-${process.geteuid?.()}`));

async function isDead(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text === '' || /\) [ZX] /.test(text);
}

/** How the agent of this box was started. */
async function commandOf(connection: BoxConnection): Promise<{ python: string; runner: string }> {
  const words = (await readFile(`/proc/${(await connection.agent()).hello.pid}/cmdline`, 'utf8')).split('\0');
  return { python: words[0] ?? '', runner: words[1] ?? '' };
}
