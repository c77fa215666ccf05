/** One thing that is wrong with a problem, or that may be, as its author reads it. */
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { adviceFor } from './advice.ts';
import { indented, printable, styled } from './terminal.ts';

export interface Finding {
  level: 'fault' | 'warning';
  /** Relative to the problems root. */
  file: string;
  line: number | null;
  /** With the key where one is meant, and what was expected there. */
  message: string;
  /** What to do about it. */
  next: string;
}

/** From a sentence of the catalog, `file:line: message`; the line may be missing. */
export function findingOf(level: Finding['level'], sentence: string): Finding {
  const match = /^(.*?\.(?:ya?ml|py))(?::(\d+))?: (.*)$/s.exec(sentence);
  const [file, line, message] = match
    ? [match[1] ?? '', match[2] === undefined ? null : Number(match[2]), match[3] ?? '']
    : ['', null, sentence];
  return { level, file, line, message, next: adviceFor(file, message) };
}

/** The same thing in a file that several problems share is one thing. */
export function eachOnce(findings: Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter((finding) => {
    const key = JSON.stringify([finding.file, finding.line, finding.message]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** As short as it is unmistakable. */
export function shownPath(path: string): string {
  const here = relative(process.cwd(), path) || '.';
  return here.startsWith('..') ? path : here;
}

const LINES_AROUND = 1;
const MAX_LINE = 160;

/** Several lines: where, what, the place in the file, what to do. */
export async function findingText(
  finding: Finding,
  root: string,
  stream: NodeJS.WriteStream,
): Promise<string> {
  const path = join(root, finding.file);
  const shown = shownPath(path);
  const place = finding.line === null ? shown : `${shown}:${finding.line}`;
  const isFault = finding.level === 'fault';
  const head = `${styled(stream, isFault ? ['bold', 'red'] : ['bold', 'yellow'], finding.level)}  ${styled(stream, 'bold', place)}`;
  const parts = [printable(finding.message), await excerpt(path, finding.line, stream)];
  if (finding.next !== '') parts.push(`${styled(stream, 'cyan', 'to do:')} ${finding.next}`);
  return `${head}\n${indented(parts.filter((part) => part !== '').join('\n'), '  ')}`;
}

async function excerpt(path: string, line: number | null, stream: NodeJS.WriteStream): Promise<string> {
  if (line === null) return '';
  const lines = (await readFile(path, 'utf8').catch(() => '')).split('\n');
  if (line > lines.length) return '';
  const first = Math.max(1, line - LINES_AROUND);
  const last = Math.min(lines.length, line + LINES_AROUND);
  const width = String(last).length;
  const rows: string[] = [];
  for (let number = first; number <= last; number += 1) {
    const text = printable(lines[number - 1] ?? '')
      .slice(0, MAX_LINE)
      .trimEnd();
    const row = `${number === line ? '>' : ' '} ${String(number).padStart(width)} | ${text}`;
    rows.push(number === line ? row : styled(stream, 'dim', row));
  }
  return rows.join('\n');
}
