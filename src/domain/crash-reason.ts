/**
 * Why a stage crashed, in one sentence: from what its processes wrote, or how they ended.
 *
 * All of these texts are the participant's, up to a mebibyte: patterns are anchored and look at a single line, so that
 * none of them can backtrack over the text.
 */
import type { StageReport } from './protocol.ts';

const TRACEBACK = 'Traceback (most recent call last):';
/** As Linux numbers them, where boxes run. */
const signalNames: Record<number, string> = {
  4: 'SIGILL',
  5: 'SIGTRAP',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  15: 'SIGTERM',
  24: 'SIGXCPU',
  25: 'SIGXFSZ',
  31: 'SIGSYS',
};

/** `errorTexts` are the error values of the result lines, their lines real ones, in order. */
export function crashReason(report: StageReport, errorTexts: string[]): string {
  const reason = endOfWorker(report) ?? exceptionOrEnd(report, errorTexts);
  if (!report.exceeded?.includes('memory')) return reason;
  return `${reason.replace(/\.$/, '')} (the memory limit was reached).`;
}

/** A dead worker says more than the traceback of a process that waited for it, but an exception more than a code. */
function endOfWorker(report: StageReport): string | null {
  if (!report.worker_died) return null;
  const who = 'The process that ran the submission';
  if (report.signal !== null) return `${who} was ended by signal ${signalText(report.signal)}.`;
  if (report.exit_code === 1) return exceptionLine(report.stderr) ?? `${who} died with exit code 1.`;
  return report.exit_code === null ? `${who} died.` : `${who} died with exit code ${report.exit_code}.`;
}

function exceptionOrEnd(report: StageReport, errorTexts: string[]): string {
  if (report.signal !== null) return `Ended by signal ${signalText(report.signal)}.`;
  const exception = exceptionLine(report.stderr);
  if (exception !== null) return exception;
  // The last: a case that crashed is mostly the one that nothing came after.
  const error = errorTexts.at(-1)?.trim();
  if (error) return firstLine(error);
  const code = report.exit_code === null ? 'no exit code' : `exit code ${report.exit_code}`;
  const meaning = meaningOf(report);
  if (meaning !== null) return `${meaning} (${code}).`;
  const hasVerdict = report.lines.some(([key]) => key === 'check');
  return `The evaluation ended with ${code}${hasVerdict ? '' : ' and no verdict'}.`;
}

/** What the public harnesses mean by an exit code that is no verdict (problem-format 2.5). */
function meaningOf(report: StageReport): string | null {
  switch (report.exit_code) {
    case 2:
      // Some of them have no such mode.
      return report.mode === 'profile' ? 'The evaluation program of this problem cannot profile' : null;
    case 110:
      return 'A call of the CUDA runtime failed';
    case 113:
      return 'The evaluation program could not read its cases';
    default:
      return null;
  }
}

function signalText(signal: number): string {
  const name = signalNames[signal];
  return name === undefined ? `${signal}` : `${signal} (${name})`;
}

/**
 * The line that names the exception with which a Python program ended, or null. It is the last line, or, where the
 * message has several, the first line behind the last traceback's frames.
 */
export function exceptionLine(stderr: string): string | null {
  const text = stderr.trimEnd();
  const last = text.slice(text.lastIndexOf('\n') + 1).trim();
  if (looksLikeException(last)) return last;
  const at = text.lastIndexOf(TRACEBACK);
  // A traceback inside of a quoted or indented text ends nothing.
  if (at < 0 || (at > 0 && text[at - 1] !== '\n')) return null;
  const lines = text.slice(at + TRACEBACK.length).split('\n');
  return lines.find((line) => line !== '' && !/^\s/.test(line))?.trimEnd() ?? null;
}

function looksLikeException(line: string): boolean {
  const name = /^[A-Za-z_][\w.]*(?=:|$)/.exec(line)?.[0] ?? '';
  return /(Error|Exception|Interrupt|Exit)$/.test(name.slice(-20));
}

function firstLine(text: string): string {
  const end = text.indexOf('\n');
  return end < 0 ? text : text.slice(0, end);
}
