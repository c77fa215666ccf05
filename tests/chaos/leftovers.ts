/** What is still there when everything has ended and nothing should be: on the boxes and in the queue. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Stage } from './stage.ts';
import { until } from './until.ts';

const GRACE_MS = 15_000;

export interface Leftovers {
  /** One sentence for each thing that is wrong. */
  wrong: string[];
  /** Folders of jobs that have ended, whose removal was interrupted: the next sweep of a box takes them. */
  foldersToSweep: number;
}

/** To be called when Hotlap's processes have ended. */
export async function findLeftovers(stage: Stage): Promise<Leftovers> {
  const wrong: string[] = [];
  let alive: string[] = [];
  await until('the processes on the boxes to end', GRACE_MS, async () => {
    alive = await processesOnBoxes(stage);
    return alive.length === 0;
  }).catch(() => {});
  wrong.push(...alive.map((line) => `still alive on a box: ${line}`));

  const held = await stage.ask(
    (sql) => sql<{ id: number; status: string }[]>`
      select id, status from hotlap.jobs where status in ('queued', 'leased', 'running')`,
  );
  wrong.push(...held.map((job) => `job ${job.id} is still ${job.status}`));
  const away = await stage.ask(
    (sql) => sql<{ name: string; state: string; problem: string }[]>`
      select name, state, problem from hotlap.boxes where state <> 'ready'`,
  );
  wrong.push(...away.map((box) => `box ${box.name} is ${box.state}: ${box.problem}`));

  let foldersToSweep = 0;
  for (const folder of new Set(stage.witness.starts.map((start) => start.folder))) {
    for (const name of await readdir(folder)) {
      const started = stage.witness.starts.some((start) => start.folder === folder && start.key === name);
      const ended = await readFile(path.join(folder, name, 'result.json')).then(
        () => true,
        () => false,
      );
      if (started && ended) foldersToSweep += 1;
      else
        wrong.push(`${name} is left in ${folder}, ${started ? 'without a result' : 'and nobody started it'}`);
    }
  }
  return { wrong, foldersToSweep };
}

/** Agents and supervisors by the folder of the box in their command line, job processes by the mark of their job. */
async function processesOnBoxes(stage: Stage): Promise<string[]> {
  const roots = stage.boxes.map((box) => box.root);
  const markers = new Set(stage.witness.starts.map((start) => `HOTLAP_JOB=${start.marker}`));
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map(async (pid) => {
      const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
      const command = (await read('cmdline')).replaceAll('\0', ' ');
      if (command.includes('start_witness.py')) return [];
      const ours =
        roots.some((root) => command.includes(root)) ||
        (await read('environ')).split('\0').some((entry) => markers.has(entry));
      return ours ? [`${pid} ${command.slice(0, 200)}`] : [];
    }),
  );
  return lines.flat();
}
