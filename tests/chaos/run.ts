/**
 * Chaos: people submit all the time, faults come one after the other, then everything is whole again and what was
 * accepted has to end within a bounded time. Nothing here decides what is right; audit.ts does, at the end.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { audit, type Verdict } from './audit.ts';
import { type FaultKind, faults, planFaults, possibleFaults, repair, type Scene } from './faults.ts';
import { findLeftovers } from './leftovers.ts';
import { Load } from './load.ts';
import { Random } from './random.ts';
import { Stage } from './stage.ts';
import { until } from './until.ts';

export interface ChaosOptions {
  trials: number;
  seed: number;
  /** No further fault is begun after this. */
  minutes: number;
  /** All that this machine can do, where left out. */
  kinds?: FaultKind[];
  say: (text: string) => void;
  /** Its abort ends the run early; everything is cleaned up, nothing is judged. */
  signal?: AbortSignal;
  /** Called before everything is removed, with the folder of the logs. */
  beforeCleaning?: (report: ChaosReport, folder: string) => Promise<void>;
}

export interface Trial {
  kind: FaultKind;
  /** From its beginning to that of the next one, in milliseconds since the epoch. */
  from: number;
  to: number;
}

export interface ChaosReport {
  trials: Trial[];
  verdicts: Verdict[];
  /** What people tried to submit: some tries met a bot that was dead, others one that could not reach its database. */
  tried: { answered: number; unanswered: number };
  /** Everything else that should not have been. */
  complaints: string[];
  notes: string[];
}

/** A fault should meet running jobs; without one for so long it comes all the same. */
const WAIT_FOR_JOB_MS = 10_000;
const WAIT_FOR_START_MS = 15_000;
/** After a full disk a job waits half a minute, after a kill in mid-delivery a message waits a whole one. */
const DRAIN_MS = 240_000;

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { say } = options;
  const signal = options.signal ?? new AbortController().signal;
  const stage = await Stage.open();
  // Load and faults draw from sources of their own: how many submissions there were must not change the faults.
  const load = new Load(stage, new Random(options.seed + 1));
  try {
    await stage.startHotlap();
    const complaints: string[] = [];
    const scene: Scene = {
      stage,
      load,
      random: new Random(options.seed),
      complain: (text) => complaints.push(text),
    };
    const { kinds, impossible } = possibleFaults(stage);
    load.start();
    const trials = await injectAll(scene, options, kinds, signal);
    say('no more faults: waiting for everything that was accepted');
    await load.stop();
    await repair(stage);
    await drained(stage, signal).catch((error: Error) => {
      if (signal.aborted) throw error;
      complaints.push(error.message);
    });
    complaints.push(...(await endHotlap(stage)));
    const leftovers = await findLeftovers(stage);
    const report: ChaosReport = {
      trials,
      verdicts: await audit(stage, load),
      tried: {
        answered: load.sent.filter((sent) => sent.answered).length,
        unanswered: load.sent.filter((sent) => !sent.answered).length,
      },
      complaints: [...complaints, ...leftovers.wrong],
      notes: [
        ...impossible.map((text) => `left out: ${text}`),
        `${load.cancelled.size} submissions were cancelled by their senders`,
        `${stage.witness.starts.length} starts seen on the boxes`,
        `${leftovers.foldersToSweep} folders of ended jobs wait for a box's next sweep`,
      ],
    };
    await options.beforeCleaning?.(report, stage.folder);
    return report;
  } finally {
    await load.stop();
    await stage.close();
  }
}

async function injectAll(
  scene: Scene,
  options: ChaosOptions,
  possible: FaultKind[],
  signal: AbortSignal,
): Promise<Trial[]> {
  const { random, load } = scene;
  const kinds = options.kinds?.filter((kind) => possible.includes(kind)) ?? possible;
  const deadline = Date.now() + options.minutes * 60_000;
  const trials: Trial[] = [];
  for (const kind of planFaults(kinds, options.trials, random)) {
    await until('a running job', WAIT_FOR_JOB_MS, async () => {
      return signal.aborted || ((await load.open()) ?? []).some((item) => item.running);
    }).catch(() => {});
    // Most faults meet processes that have started, some meet one that is just starting.
    const { bot, scheduler } = scene.stage;
    if (random.next() < 0.7) {
      await until(
        'both processes',
        WAIT_FOR_START_MS,
        () => signal.aborted || (bot.ready && scheduler.ready),
      ).catch(() => {});
    }
    await delay(random.between(0, 1500));
    if (signal.aborted) throw new Error('interrupted');
    if (Date.now() > deadline) {
      scene.complain(
        `only ${trials.length} of ${options.trials} trials fitted into ${options.minutes} minutes`,
      );
      break;
    }
    const from = Date.now();
    const last = trials.at(-1);
    if (last) last.to = from;
    trials.push({ kind, from, to: Number.POSITIVE_INFINITY });
    options.say(`${trials.length} of ${options.trials}: ${kind}`);
    await faults[kind](scene);
  }
  return trials;
}

async function drained(stage: Stage, signal: AbortSignal): Promise<void> {
  await until('everything to end and to be delivered, and every box to be back', DRAIN_MS, async () => {
    if (signal.aborted) throw new Error('interrupted');
    const [row] = await stage.ask(
      // A box on whose full disk several jobs failed is in quarantine, and comes back by itself.
      (sql) => sql<{ open: number; owed: number; quarantined: number }[]>`
        select (select count(*) from hotlap.submissions where status in ('queued', 'running')) as open,
          (select count(*) from hotlap.outbox where status = 'owed') as owed,
          (select count(*) from hotlap.boxes where state = 'quarantined') as quarantined`,
    );
    return row?.open === 0 && row.owed === 0 && row.quarantined === 0;
  });
}

/** Asks both processes to end, so that nothing can follow what is looked at then. */
async function endHotlap(stage: Stage): Promise<string[]> {
  const complaints = [...stage.bot.crashes, ...stage.scheduler.crashes];
  for (const bot of [stage.bot, stage.scheduler]) {
    const tookMs = await bot.stop('SIGTERM');
    if (tookMs > 10_000) complaints.push(`${bot.name} took ${tookMs} ms to end on SIGTERM`);
  }
  return complaints;
}
