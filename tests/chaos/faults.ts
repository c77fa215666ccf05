/**
 * What goes wrong. Each fault does its harm, holds it for a random while and repairs it; what follows from it (leases
 * that run out, connections that come back, messages that are sent again) is left to Hotlap.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { causeFault } from '../support/playground-user.ts';
import type { Load } from './load.ts';
import type { Random } from './random.ts';
import type { Stage } from './stage.ts';

export interface Scene {
  stage: Stage;
  load: Load;
  random: Random;
  /** Something that Hotlap did wrong in the fault itself: makes the run fail. */
  complain: (text: string) => void;
}

/** Beyond this a process that was asked to end did not do so "within seconds". */
const DRAIN_MS = 10_000;

const hold = (random: Random, leastMs: number, belowMs: number) => delay(random.between(leastMs, belowMs));

async function drain(scene: Scene, which: 'bot' | 'scheduler'): Promise<void> {
  const tookMs = await scene.stage[which].stop('SIGTERM');
  if (tookMs > DRAIN_MS) scene.complain(`${which} took ${tookMs} ms to end on SIGTERM`);
}

async function killed(scene: Scene, which: ('bot' | 'scheduler')[]): Promise<void> {
  const { stage, random } = scene;
  await Promise.all(which.map((name) => stage[name].stop('SIGKILL')));
  await hold(random, 0, 2500);
  for (const name of which) stage[name].start();
}

async function discordTrouble({ stage, random }: Scene): Promise<void> {
  for (let burst = 0; burst < 3; burst++) {
    const status = random.pick([429, 500, 502, 503] as const);
    const times = Math.floor(random.between(2, 7));
    await causeFault(stage.playground, {
      kind: 'respond',
      status,
      times,
      ...(status === 429
        ? { retryAfterS: random.between(0.05, 1.5) }
        : { afterApplying: random.next() < 0.5 }),
    });
    await hold(random, 200, 1200);
  }
}

async function deadTokens({ stage, random }: Scene): Promise<void> {
  const { playground } = stage;
  await causeFault(playground, { kind: 'expire-tokens' });
  // Some people take no direct messages either: what is left is a mention in the channel.
  const user = random.pick(stage.users);
  await causeFault(playground, { kind: 'block-dms', userId: user.id, blocked: true });
  await hold(random, 500, 3000);
  await causeFault(playground, { kind: 'block-dms', userId: user.id, blocked: false });
}

async function cancel({ load, random }: Scene): Promise<void> {
  const open = (await load.open()) ?? [];
  const running = open.filter((item) => item.running);
  const chosen = running.length > 0 ? random.pick(running) : open.at(-1);
  if (chosen) await load.cancel(chosen.id, chosen.userId);
}

export const faults = {
  'bot killed': (scene) => killed(scene, ['bot']),
  'second scheduler killed': (scene) => killed(scene, ['scheduler']),
  'both killed': (scene) => killed(scene, ['bot', 'scheduler']),
  'bot drained': async (scene) => {
    await drain(scene, 'bot');
    await hold(scene.random, 0, 1000);
    scene.stage.bot.start();
  },
  'second scheduler drained': async (scene) => {
    await drain(scene, 'scheduler');
    await hold(scene.random, 0, 1000);
    scene.stage.scheduler.start();
  },
  'sshd killed': async ({ stage, random }) => {
    const { sshd } = random.pick(stage.boxes);
    await sshd.stop();
    await hold(random, 300, 4000);
    await sshd.start();
  },
  'connections dropped': ({ stage, random }) => random.pick(stage.boxes).sshd.dropConnections(),
  'connections frozen': async ({ stage, random }) => {
    const { sshd } = random.pick(stage.boxes);
    await sshd.freezeConnections();
    await hold(random, 1000, 7000);
    await sshd.dropConnections();
  },
  'database restarted': ({ stage }) => stage.restartDatabase('SIGINT'),
  'database ended at once': ({ stage }) => stage.restartDatabase('SIGQUIT'),
  'database killed': ({ stage }) => stage.restartDatabase('SIGKILL'),
  'disk full': async ({ stage, random }) => {
    const box = stage.boxes.find((item) => item.hasSmallDisk);
    if (!box) throw new Error('no box has a disk that may be filled');
    await box.fillDisk();
    await hold(random, 1000, 6000);
    await box.freeDisk();
  },
  'Discord 5xx and 429': discordTrouble,
  'Discord gateway dropped': ({ stage, random }) =>
    causeFault(stage.playground, { kind: 'drop-gateway', resumable: random.next() < 0.5 }),
  'interaction tokens dead': deadTokens,
  cancelled: cancel,
} satisfies Record<string, (scene: Scene) => Promise<void>>;

export type FaultKind = keyof typeof faults;

/** Kinds that this machine can do, and why not the others. */
export function possibleFaults(stage: Stage): { kinds: FaultKind[]; impossible: string[] } {
  const all = Object.keys(faults) as FaultKind[];
  if (stage.boxes.some((box) => box.hasSmallDisk)) return { kinds: all, impossible: [] };
  return {
    kinds: all.filter((kind) => kind !== 'disk full'),
    impossible: ['disk full: needs root, for a small disk that may be filled'],
  };
}

/** Every kind about equally often, in an order of chance. */
export function planFaults(kinds: FaultKind[], trials: number, random: Random): FaultKind[] {
  const plan: FaultKind[] = [];
  while (plan.length < trials) plan.push(...random.shuffled(kinds));
  return plan.slice(0, trials);
}

/** Makes everything whole that a fault may have left broken when it was interrupted. */
export async function repair(stage: Stage): Promise<void> {
  for (const box of stage.boxes) {
    await box.freeDisk();
    await box.sshd.start();
  }
  for (const user of stage.users) {
    await causeFault(stage.playground, { kind: 'block-dms', userId: user.id, blocked: false });
  }
  stage.bot.start();
  stage.scheduler.start();
}
