/** A rejudge in full, as a table to open in a spreadsheet: secret scores included, for organisers alone. */
import type { PlaceChange, RejudgeEntry, Verdict } from '../domain/rejudge.ts';

export interface RejudgeFile {
  name: string;
  text: string;
}

/** One line for every submission on every GPU type; scores in seconds, empty where there is none. */
export function rejudgeFile(id: number, entries: RejudgeEntry[], changes: PlaceChange[]): RejudgeFile {
  const head = [
    ...['gpu', 'submission', 'user', 'name', 'rank_before', 'rank_after'],
    ...['public_before', 'public_after', 'secret_before', 'secret_after'],
    ...['ranked_before', 'ranked_after', 'reason_before', 'reason_after'],
  ];
  const rows = entries.map((entry) => {
    const change = changes.find((item) => item.gpuType === entry.gpuType && item.userId === entry.userId);
    const rank = (place: PlaceChange['before'] | undefined) =>
      place?.submissionId === entry.submissionId ? place.rank : '';
    const { before, after } = entry;
    return [
      ...[entry.gpuType, entry.submissionId, entry.userId, entry.userName],
      ...[rank(change?.before), rank(change?.after)],
      ...[before.publicScore, after?.publicScore, before.secretScore, after?.secretScore],
      ...[ranked(before), ranked(after), before.reason, after ? after.reason : unfinished(entry)],
    ];
  });
  const lines = [head, ...rows].map((cells) => cells.map(csvCell).join(','));
  return { name: `rejudge-${id}.csv`, text: `${lines.join('\r\n')}\r\n` };
}

function ranked(verdict: Verdict | null): string {
  return verdict === null ? '' : verdict.eligible ? 'yes' : 'no';
}

function unfinished(entry: RejudgeEntry): string {
  return entry.open ? 'not judged yet' : 'not judged: our fault or cancelled, the earlier verdict stays';
}

/** Quoted where it must be; what a spreadsheet would take for a formula is made a text. */
function csvCell(value: string | number | null | undefined): string {
  const text = value === null || value === undefined ? '' : String(value);
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
