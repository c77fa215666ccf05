/**
 * A known-good run on each box, through the whole of the straight line: what fails there is the box's fault.
 *
 *   plan     each box and each GPU type that it serves, with the first problem whose known-good file is at hand, else a
 *            program that ends well on every box
 *   start    a run without a board for each box that takes jobs
 *   watch    until each has ended; what does not in time is cancelled, and said so
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type BoxRow, listBoxes } from '../db/boxes.ts';
import { cancelSubmission } from '../db/cancel.ts';
import type { Sql } from '../db/client.ts';
import { listVerifyFacts } from '../db/free-runs.ts';
import { listLeaderboards } from '../db/leaderboards.ts';
import { UserError } from '../domain/errors.ts';
import { type RunDesk, type Verdict, verdictOf, verdictOnBox } from '../domain/verify.ts';
import type { Sender } from './accept.ts';
import { acceptRun, examineRun, mainTypes } from './free-run.ts';
import type { SourceFile } from './validate.ts';

const PROGRAM = new URL('../../deploy/box/program/known_good.py', import.meta.url);
const POLL_MS = 500;

export interface VerifyWishes {
  /** Null: what fits each box. */
  problem: string | null;
  /** Null: all of them. */
  box: string | null;
}

/** One run of it, or a box on which none could begin. */
export interface VerifyEntry {
  box: string;
  gpuType: string;
  /** Whose problem it is; null: a program on its own. */
  problem: string | null;
  runId: number | null;
  verdict: Verdict;
}

/** Queues the runs. Throws UserError where there is nothing to verify, or nothing to verify by. */
export async function startVerify(
  sql: Sql,
  desk: RunDesk,
  wishes: VerifyWishes,
  user: Sender['user'],
): Promise<VerifyEntry[]> {
  const all = await listBoxes(sql);
  const boxes = all.filter(
    (box) => wishes.box === null || box.name.toLowerCase() === wishes.box.toLowerCase(),
  );
  if (all.length === 0) throw new UserError('no-boxes');
  if (boxes.length === 0) throw new UserError('unknown-box', { box: wishes.box ?? '' });
  const choose = await chooser(sql, desk, wishes.problem);
  const entries: VerifyEntry[] = [];
  for (const box of boxes) {
    for (const gpuType of mainTypes(box)) {
      const { problem, file } = await choose(gpuType);
      entries.push({ box: box.name, gpuType, problem, ...(await start(box, gpuType, problem, file)) });
    }
  }
  return entries;

  async function start(
    box: BoxRow,
    gpuType: string,
    problem: string | null,
    file: SourceFile,
  ): Promise<Pick<VerifyEntry, 'runId' | 'verdict'>> {
    const verdict = verdictOnBox(box);
    if (verdict) return { runId: null, verdict };
    // With a problem something is timed, where it has anything to time.
    const wanted = { problem, gpu: gpuType, box: box.name };
    const run = await examineRun(sql, file, {
      ...wanted,
      mode: problem === null ? 'test' : 'benchmark',
    }).catch((error: unknown) => {
      if (!(error instanceof UserError) || error.code !== 'mode-without-cases') throw error;
      return examineRun(sql, file, { ...wanted, mode: 'test' });
    });
    const sender = { user, door: 'verify', reply: null } as const;
    const { id } = await acceptRun(sql, run, sender, { fresh: true, runnerHash: desk.runnerHash });
    const waiting = { state: 'waiting', seconds: null, meanSeconds: null, text: '', remedy: '' } as const;
    return { runId: id, verdict: waiting };
  }
}

/** By GPU type: what is run there. */
async function chooser(sql: Sql, desk: RunDesk, wanted: string | null) {
  const boards = (await listLeaderboards(sql)).filter((board) => board.stage !== 'archived');
  const program = { name: 'known_good.py', bytes: await readFile(PROGRAM) };
  if (wanted !== null) {
    const board = boards.find((item) => item.name.toLowerCase() === wanted.toLowerCase());
    const file = board ? await desk.findKnownGood(board.name) : null;
    if (!file) throw new UserError('no-known-good', { leaderboard: wanted });
    return async () => ({ problem: board?.name ?? wanted, file });
  }
  return async (gpuType: string): Promise<{ problem: string | null; file: SourceFile }> => {
    for (const board of boards) {
      if (!board.gpus.some((gpu) => gpu.toLowerCase() === gpuType.toLowerCase())) continue;
      const file = await desk.findKnownGood(board.name);
      if (file) return { problem: board.name, file };
    }
    return { problem: null, file: program };
  };
}

/** Calls `show` with every change, and returns when all have ended: after `patienceMs` they are ended. */
export async function watchVerify(
  sql: Sql,
  started: VerifyEntry[],
  show: (entries: VerifyEntry[]) => void,
  patienceMs: number,
): Promise<VerifyEntry[]> {
  const deadline = Date.now() + patienceMs;
  let entries = started;
  for (let shown = ''; ; await delay(POLL_MS)) {
    entries = await lookAgain(sql, entries);
    if (JSON.stringify(entries) !== shown) show(entries);
    shown = JSON.stringify(entries);
    const open = entries.filter(isOpen);
    if (open.length === 0) return entries;
    if (Date.now() < deadline) continue;
    for (const { runId } of open) if (runId !== null) await cancelSubmission(sql, runId);
    const text = `it had not ended after ${Math.round(patienceMs / 60_000)} minutes, and was cancelled`;
    return entries.map((entry) =>
      isOpen(entry) ? { ...entry, verdict: { ...entry.verdict, state: 'failed', text } } : entry,
    );
  }
}

function isOpen({ verdict }: VerifyEntry): boolean {
  return verdict.state === 'waiting' || verdict.state === 'running';
}

/** What has a verdict keeps it; what cannot begin any more, because its box went away, is cancelled. */
async function lookAgain(sql: Sql, entries: VerifyEntry[]): Promise<VerifyEntry[]> {
  const ids = entries.filter(isOpen).flatMap(({ runId }) => runId ?? []);
  const facts = new Map((await listVerifyFacts(sql, ids)).map((item) => [item.runId, item]));
  const found = entries.map((entry) => {
    const now = isOpen(entry) && entry.runId !== null ? facts.get(entry.runId) : undefined;
    return now
      ? { entry: { ...entry, verdict: verdictOf(now) }, queued: now.status === 'queued' }
      : { entry };
  });
  for (const { entry, queued } of found)
    if (queued && !isOpen(entry) && entry.runId !== null) await cancelSubmission(sql, entry.runId);
  return found.map(({ entry }) => entry);
}
