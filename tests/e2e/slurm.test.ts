/** A real Slurm cluster beside a real OpenSSH box: the same results, its GPUs, and where the secret seed is. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { forgetJob } from '../../src/boxes/run-on-box.ts';
import type { JobEvent, JobResult } from '../../src/domain/protocol.ts';
import {
  begin,
  crashing,
  expectWhole,
  fast,
  held,
  running,
  SlurmBox,
  slurmBoxMissing,
  squares,
  waiting,
  wrong,
} from '../support/slurm-box.ts';

const missing = slurmBoxMissing();
let box: SlurmBox;
beforeAll(async () => {
  if (missing === null) box = await SlurmBox.start();
});
afterAll(() => box?.remove());
beforeEach(({ skip }) => skip(missing !== null, missing ?? ''));

describe.concurrent('a cluster', () => {
  it('runs the same submissions to the same results as a plain box does', async () => {
    const boxes = await Promise.all([box.connectTo('ssh'), box.connectTo('slurm')]);
    const runs = [fast, wrong, crashing].map((submission) =>
      Promise.all(
        boxes.map(async (connection) => {
          const { run, events, job } = begin(connection, squares(submission, 3), 4711);
          const result = await run;
          await forgetJob(connection, job.job_key);
          return { result, events };
        }),
      ),
    );
    const shapeOf = ({ result, events }: { result: JobResult; events: JobEvent[] }) => ({
      outcome: result.outcome,
      sandbox: result.sandbox,
      limits: result.limits,
      stages: result.stages.map(({ name, exit_code, signal, lines, warmup, stderr }) => ({
        ...{ name, exit_code, signal, lines, stderr, warmup: warmup?.exit_code },
      })),
      events: events
        .filter((event) => event.type !== 'waiting')
        .map(({ at: _, ...event }) => ({ ...event, pid: 0 })),
    });
    const verdicts: unknown[] = [];
    for (const [plain, clustered] of await Promise.all(runs)) {
      if (!plain || !clustered) throw new Error('a run is missing');
      expect(shapeOf(clustered)).toEqual(shapeOf(plain));
      verdicts.push([plain.result.stages[0]?.exit_code, plain.result.stages[0]?.lines.at(-1)]);
    }
    expect(verdicts).toEqual([
      [0, ['check', 'pass']],
      [112, ['check', 'fail']],
      [1, undefined],
    ]);
  });

  it('tells what it has, and what one of its nodes is', async () => {
    const report = await (await (await box.connectTo('slurm')).agent()).probe();
    expect(report.slurm).toEqual({
      partitions: [{ name: 'gpus', nodes: 1, gres: 'gpu:testcard:2' }],
      gpu_types: ['testcard'],
    });
    expect(report.sandbox_problem === null).toBe(report.sandbox === 'bwrap');
    expect(report.python_path).toMatch(/^\//);
  });

  it('that has no node free is asked again, and the look that was begun is not begun anew', async () => {
    const agentOf = async (patienceS: number) =>
      (await box.connectTo('slurm here', held, { id: '9', patienceS })).agent();
    await expect((await agentOf(3)).probe()).rejects.toMatchObject({
      kind: 'cluster-away',
      message: expect.stringContaining('still waits in the cluster'),
    });
    const again = (await agentOf(30)).probe();
    const queued = await box.cluster.run('squeue', '-h', '-o', '%A %j');
    const [look, ...others] = queued.match(/^\d+(?= .*\.test\.9\.\.probe-)/gm) ?? [];
    expect(others).toEqual([]);
    await box.cluster.run('scontrol', 'release', look ?? '');
    expect((await again).slurm?.gpu_types).toEqual([]);
  });

  it('refuses options that do not fit it, in the words of Slurm, and keeps nothing', async () => {
    const lost = await box.connectTo('slurm here', { partition: 'nowhere' });
    await expect((await lost.agent()).probe()).rejects.toMatchObject({
      kind: 'cluster-refused',
      message: expect.stringMatching(/no partition 'nowhere'; the cluster has gpus/),
    });
    const job = squares(fast, 1);
    await expect(begin(lost, job).run).rejects.toMatchObject({
      kind: 'cluster-refused',
      message: expect.stringMatching(/invalid partition/i),
    });
    expect(await (await lost.agent()).status(job.job_key)).toBe('unknown');
    const greedy = await box.connectTo('slurm here', { gres: 'gpu:othercard:9' });
    await expect((await greedy.agent()).probe()).rejects.toMatchObject({ kind: 'cluster-refused' });
  });

  it('gives a job the GPUs that Slurm chose, and as many as it needs', async () => {
    const telling = `import os\n${fast}if "POPCORN_FD" in os.environ:
    with open(int(os.environ["POPCORN_FD"]), "w", closefd=False) as out:
        print("cards: " + (os.environ.get("CUDA_VISIBLE_DEVICES") or "none"), file=out)\n`;
    const cards = async (
      kind: 'slurm' | 'slurm here',
      change: { world_size?: number },
      options: { gres?: null } = {},
    ) => {
      const connection = await box.connectTo(kind, options);
      const { run } = begin(connection, squares(telling, 1, { warmup: null, ...change }));
      const result = await run;
      return [new Map(result.stages[0]?.lines).get('cards'), result.system.gpu, result.system.device_count];
    };
    const model = 'NVIDIA H100 80GB HBM3';
    const uuid = (index: number) => `GPU-${String(index).padStart(32, '0')}`;
    const [one, two, none, unknown] = await Promise.all([
      cards('slurm', {}),
      cards('slurm', { world_size: 2 }),
      cards('slurm', {}, { gres: null }),
      cards('slurm here', { world_size: 2 }),
    ]);
    expect([
      [uuid(0), model, 1],
      [uuid(1), model, 1],
    ]).toContainEqual(one);
    expect(two).toEqual([`${uuid(0)},${uuid(1)}`, model, 2]);
    expect(none).toEqual(['none', '', 0]);
    // Without a driver to ask, what Slurm says is handed on.
    expect(unknown).toEqual(['0,1', '', 0]);
  });
});

describe.concurrent('the secret seed', () => {
  const seed = 7_718_293_645_501;

  it('is found nowhere but in a file that only its supervisor reads', async () => {
    const snooping = `import os
seen = []
for top in ("${box.folder}", "/tmp", "/var", "/home", "/root", "/run", "/proc"):
    for place, _, names in os.walk(top):
        for name in names:
            path = os.path.join(place, name)
            try:
                fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
                text = os.read(fd, 100000).decode(errors="replace")
                os.close(fd)
                if "ticket" in name or str(${seed - 1} + 1) in text:
                    seen.append(path)
            except OSError:
                pass
def custom_kernel(number):
    import time
    time.sleep(1.5)
    return number * number if not seen else 0
`;
    const { job, run, seen, events } = begin(await box.connectTo('slurm', held), squares(snooping, 1), seed);
    await seen(waiting);
    const ticket = join(box.jobFolder(job), 'ticket.json');
    expect(await placesOf(seed)).toEqual([ticket]);
    expect((await stat(ticket)).mode & 0o777).toBe(0o600);
    expect((await stat(box.jobFolder(job))).mode & 0o077).toBe(0);
    const [entry] = await box.jobsOf(job);
    const script = join(box.folder, 'script');
    await box.cluster.run('scontrol', 'write', 'batch_script', String(entry?.id), script);
    for (const text of [
      await box.cluster.run('scontrol', 'show', 'job', String(entry?.id)),
      await readFile(script, 'utf8'),
    ]) {
      expect(text).toContain(job.job_key);
      expect(text).not.toContain(String(seed));
    }
    await box.release(job);
    await seen(running);
    expect(await placesOf(seed)).toEqual([]);
    const result = await run;
    expectWhole(events, result, 1);
    expect(new Map(result.stages[0]?.lines).get('seed-digits')).toBe('58');
    expect(await placesOf(seed)).toEqual([]);
  });
});

/** Files of box and cluster, and environments and arguments of processes, that hold this number. */
async function placesOf(seed: number): Promise<string[]> {
  const files = async (top: string): Promise<string[]> => {
    const entries = await readdir(top, { recursive: true, withFileTypes: true }).catch(() => []);
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  };
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const scratch = (await readdir(tmpdir())).filter((name) => name.startsWith('hotlap-slurm-'));
  const places = [
    ...(await Promise.all(scratch.map((name) => files(join(tmpdir(), name))))).flat(),
    ...(await files(join(box.cluster.configFile, '..'))),
    ...pids.flatMap((pid) => [`/proc/${pid}/environ`, `/proc/${pid}/cmdline`]),
  ];
  const holding = await Promise.all(
    [...new Set(places)].map(async (place) => {
      const text = await readFile(place, 'latin1').catch(() => '');
      return text.includes(String(seed)) ? [place] : [];
    }),
  );
  return holding.flat();
}
