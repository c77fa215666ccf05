/**
 * A submission as an embed, at every moment of its life. The view decides what is in it: for anyone but the owner and
 * admins it comes without secret scores.
 */
import type { APIEmbed, APIEmbedField } from 'discord-api-types/v10';
import { failureLabels } from '../domain/rank.ts';
import { readBenchmarkLines } from '../domain/result-lines.ts';
import {
  failedByUs,
  type GpuResult,
  isOurs,
  type JobView,
  modeLabels,
  NO_BOARD,
  type RunView,
  type SubmissionView,
} from '../domain/submission.ts';
import { colours } from './colours.ts';
import { code, codeBlock, cut, FIELD_CHARS, plain } from './markdown.ts';
import { etaText, formatScore, formatSeconds, timestamp } from './measure.ts';
import { reasonLines } from './own-place-embed.ts';
import { profilerLine } from './report-file.ts';
import { phaseWords } from './serving-phases.ts';
import { gateText, isServingRun, servingTables } from './serving-table.ts';

/** Discord's 25 fields, less room for a note. */
const MAX_GPUS = 20;
/** Discord's 6000 for all parts of an embed, less a reserve. */
const EMBED_CHARS = 5900;
const FOOTER_CHARS = 100;

/** `runs`, where given, add the benchmark times of the public run. */
export function submissionEmbed(view: SubmissionView, runs: RunView[] = []): APIEmbed {
  const { title, colour } = headline(view);
  const by = view.teamName ? ` by <@${view.userId}> for **${plain(view.teamName)}**` : '';
  const description = [
    `${code(view.fileName)} on **${plain(view.leaderboard)}**, mode **${modeLabels[view.mode]}**, sent ${timestamp(view.createdAt, 'R')}${by}`,
    ...notes(view),
  ].join('\n');
  const gpus = view.gpus.slice(0, MAX_GPUS);
  const room = Math.floor((EMBED_CHARS - title.length - description.length) / gpus.length);
  return {
    title: `${title} · #${view.id}`,
    color: colour,
    description,
    fields: gpus.map((gpu) => gpuField(view, gpu, runs, room)),
  };
}

/** With a small line at its end; null changes nothing. */
export function withFooter(embed: APIEmbed, text: string | null): APIEmbed {
  return text === null ? embed : { ...embed, footer: { text: cut(text, FOOTER_CHARS) } };
}

function headline(view: SubmissionView): { title: string; colour: number } {
  switch (view.status) {
    case 'queued':
      return { title: 'Queued', colour: colours.waiting };
    case 'running':
      return { title: 'Running', colour: colours.running };
    case 'done':
      return { title: doneTitle(view), colour: colours.good };
    case 'failed':
      return failedByUs(view)
        ? { title: 'Our fault: a box failed', colour: colours.ours }
        : { title: 'Failed', colour: colours.bad };
    case 'cancelled':
      return { title: 'Cancelled', colour: colours.waiting };
    case 'rejected':
      return { title: 'Rejected', colour: colours.bad };
  }
}

function doneTitle(view: SubmissionView): string {
  if (view.mode !== 'leaderboard') return 'Passed';
  if (!view.official) return 'Passed, unofficial';
  return view.gpus.some((gpu) => gpu.eligible) ? 'Ranked' : 'Passed, not ranked';
}

function notes(view: SubmissionView): string[] {
  const lines: string[] = [];
  if (!view.official)
    lines.push('⏱️ **Unofficial**: it came after the deadline. It runs like any other and is ranked nowhere.');
  const closed = !['queued', 'running'].includes(view.status);
  if (closed && view.gpus.some((gpu) => gpu.publicJob.sandbox === 'none')) {
    lines.push('⚠️ Run without a sandbox: this box offers none.');
  }
  if (failedByUs(view)) {
    lines.push('The box failed, not your code. Nothing is held against you: the button below runs it again.');
  }
  if (view.gpus.length > MAX_GPUS)
    lines.push(`${view.gpus.length - MAX_GPUS} more GPU types: see the report.`);
  return lines;
}

/** `room`: characters for name and value together. */
function gpuField(view: SubmissionView, gpu: GpuResult, runs: RunView[], room: number): APIEmbedField {
  const open = [gpu.publicJob, gpu.secretJob].some(
    (job) => job && ['queued', 'leased', 'running'].includes(job.status),
  );
  const name = `${cut(gpu.gpuType, 50)} · ${open ? 'in progress' : statusWord(view, gpu)}`;
  const chars = Math.min(FIELD_CHARS, room - name.length);
  const lines = open ? progressLines(gpu) : resultLines(view, gpu, runs, chars);
  return { name, value: cut(lines.join('\n'), chars), inline: false };
}

function statusWord(view: SubmissionView, gpu: GpuResult): string {
  if (isOurs(gpu)) return 'failed, our fault';
  if (gpu.publicJob.status === 'cancelled') return 'cancelled';
  if (gpu.publicJob.failure) return `failed: ${failureLabels[gpu.publicJob.failure.kind]}`;
  if (gpu.publicJob.passed === false) return 'failed';
  if (view.mode !== 'leaderboard') return 'done';
  if (gpu.secretJob?.passed === false) return 'failed: the secret run';
  if (!gpu.eligible) return 'not ranked';
  if (!view.official) return 'done, unofficial';
  if (gpu.rank !== null) return `done, place ${gpu.rank}`;
  return `done, behind ${gpu.notRanked?.code === 'behind-mate' ? 'the team’s' : 'your best'} entry`;
}

function progressLines(gpu: GpuResult): string[] {
  const lines = [`${gpu.secretJob ? 'Public run: ' : ''}${jobLine(gpu.publicJob)}`];
  // What the public run waits for, the secret one does too: said once.
  const waits = gpu.publicJob.status === 'queued' && gpu.secretJob?.status === 'queued';
  if (gpu.secretJob) lines.push(`Secret run: ${waits ? 'after it' : jobLine(gpu.secretJob)}`);
  return lines;
}

/** One sentence on what a job does or waits for. */
export function jobLine(job: JobView): string {
  switch (job.status) {
    case 'queued':
      return queuedLine(job);
    case 'leased':
      return `starting on ${code(job.box ?? '?')}`;
    case 'running': {
      const where = `on ${code(job.box ?? '?')}`;
      if (!job.progress) return `starting ${where}`;
      const { stage, state, done, of } = job.progress;
      if (state === 'building') return `${where}: compiling`;
      if (state === 'waiting') return `${where}: waiting in the cluster${stage === '' ? '' : ` (${stage})`}`;
      if (state === 'warmup') return `${where}: warming up`;
      const what = phaseWords(state) ?? stage;
      return `${where}: ${what}${of > 0 ? `, ${done} of ${of}` : ''}${state === 'finished' ? ' finished' : ''}`;
    }
    case 'finished':
      return job.passed ? 'passed' : 'failed';
    case 'failed':
      return 'given up: the box failed, not your code';
    case 'cancelled':
      return 'not run';
  }
}

function queuedLine(job: JobView): string {
  const place = job.place ? `queued, position ${job.place.ahead + 1}${etaText(job.place.eta)}` : 'queued';
  const again = job.attempt > 0 ? ' The box failed, not your code: it will run again.' : '';
  if (job.boxesReady > 0) return `${place}.${again}`;
  const cause =
    job.boxesOffline > 0
      ? 'no box of this GPU type can be used now'
      : 'no box of this GPU type is registered yet';
  return `${place}. It waits because ${cause}: the box, not your code.`;
}

function resultLines(view: SubmissionView, gpu: GpuResult, runs: RunView[], chars: number): string[] {
  const { publicJob, secretJob } = gpu;
  if (isOurs(gpu))
    return [`The box failed (${code(publicJob.boxErrorKind ?? secretJob?.boxErrorKind ?? 'unknown')}).`];
  if (publicJob.status === 'cancelled') return ['It was not run to its end.'];
  const lines: string[] = [];
  if (view.mode === 'leaderboard' && gpu.publicScore !== null) {
    lines.push(`Public score **${formatScore(gpu.publicScore, view.scoreUnit)}**`);
  }
  if (gpu.secretScore !== null)
    lines.push(`Secret score **${formatScore(gpu.secretScore, view.scoreUnit)}** (never shown in public)`);
  if (gpu.rejudge)
    lines.push(`Judged again by version ${gpu.rejudge.version} of the task (rejudge #${gpu.rejudge.id})`);
  if (gpu.boardScore && gpu.boardScore.score !== null)
    lines.push(`On the board **${formatScore(gpu.boardScore.score, gpu.boardScore.unit)}**`);
  const { failure } = publicJob;
  if (failure) {
    lines.push(cut(plain(failure.summary), 300));
    if (gpu.notRanked && view.mode === 'leaderboard') lines.push(...reasonLines(gpu.notRanked));
    const detail = failure.detail.trim();
    const left = roomAfter(lines, chars);
    if (detail !== '' && left >= LEAST_BLOCK) lines.push(codeBlock(detail, left));
  } else if (secretJob?.passed === false) {
    lines.push(
      'It passed the public cases and failed on the secret ones, which are the same problem with other numbers. Look for anything that depends on the public values.',
    );
  } else if (view.mode === 'leaderboard' && !gpu.eligible) {
    lines.push(...notRankedLines(gpu));
  } else if (gpu.notRanked?.code === 'behind-mate') {
    lines.push(`On the board: ${gpu.notRanked.cause}.`);
  }
  const profile = runs.find((run) => run.gpuType === gpu.gpuType && run.profile !== null)?.profile;
  if (profile && publicJob.passed) lines.push(cut(plain(profilerLine(profile)), 400));
  const times = publicJob.passed ? figures(gpu.gpuType, runs, roomAfter(lines, chars)) : '';
  if (times !== '') lines.push(times);
  // An organiser's own: what it wrote is what was asked for.
  const wrote = view.leaderboard === NO_BOARD ? output(gpu.gpuType, runs, roomAfter(lines, chars)) : '';
  if (wrote !== '') lines.push(wrote);
  if (lines.join('').trim() === '') lines.push(publicJob.passed ? 'All checks passed.' : 'It did not pass.');
  return lines;
}

function notRankedLines(gpu: GpuResult): string[] {
  if (gpu.notRanked) return reasonLines(gpu.notRanked);
  return gpu.reason ? [`Not ranked: ${plain(gpu.reason)}`] : [];
}

/** A block that does not fit is left out: cut off, it would never be closed. */
const LEAST_BLOCK = 60;

function roomAfter(lines: string[], chars: number): number {
  return chars - lines.join('\n').length - 1;
}

/** What fits on a phone beside each other: mean time and case. */
const TABLE_ROWS = 10;
const TABLE_CHARS = 700;

function figures(gpuType: string, runs: RunView[], chars: number): string {
  const own = runs.filter((run) => !run.secret && run.gpuType === gpuType);
  const served = own.map((run) => new Map(run.result)).filter(isServingRun);
  return served.length > 0 ? servingFigures(served, chars) : benchmarkTable(gpuType, runs, chars);
}

/** The gate, and of the last run that measured as many shapes as fit. */
function servingFigures(runs: Map<string, string>[], chars: number): string {
  const tables = runs.map(servingTables).findLast((found) => found.length > 0) ?? [];
  const gate = cut(plain(runs.map(gateText).filter((text) => text !== '')[0] ?? ''), 300);
  for (let shown = tables.length; shown > 0; shown--) {
    const more = tables.length > shown ? [`${tables.length - shown} more in the report`] : [];
    const block = codeBlock([...tables.slice(0, shown), ...more].join('\n\n'), FIELD_CHARS);
    const text = gate === '' ? block : `${gate}\n${block}`;
    if (text.length <= chars) return text;
  }
  return gate.length <= chars ? gate : '';
}

const OUTPUT_CHARS = 500;

/** The end of what the last public stage wrote. */
function output(gpuType: string, runs: RunView[], chars: number): string {
  const last = runs.filter((run) => !run.secret && run.gpuType === gpuType).at(-1);
  const text = last?.stdout.trim() ?? '';
  return text === '' || chars < LEAST_BLOCK ? '' : codeBlock(text, Math.min(chars, OUTPUT_CHARS));
}

function benchmarkTable(gpuType: string, runs: RunView[], chars: number): string {
  const timed = runs.filter((run) => !run.secret && run.gpuType === gpuType && run.mode !== 'test');
  const cases = readBenchmarkLines(new Map(timed.at(-1)?.result ?? []));
  const rows = cases.slice(0, TABLE_ROWS).map((item) => {
    const error = item.errNs === null ? '' : ` ±${((100 * item.errNs) / item.meanNs).toFixed(1)} %`;
    return `${formatSeconds(item.meanNs / 1e9).padStart(9)}${error.padEnd(8)} ${cut(item.spec, 48)}`;
  });
  for (let shown = rows.length; shown > 0; shown--) {
    const more = cases.length > shown ? [`and ${cases.length - shown} more in the report`] : [];
    const block = codeBlock([...rows.slice(0, shown), ...more].join('\n'), FIELD_CHARS);
    if (block.length <= Math.min(chars, TABLE_CHARS)) return block;
  }
  return '';
}
