/**
 * Deadlines of problem sets: `YYYY-MM-DD` or `YYYY-MM-DD H:MM`, always UTC (problem-format 1.1). Not `new Date(text)`:
 * that reads the one as UTC and the other as local time.
 */

/** null for the empty string (no deadline); undefined for anything that is no such date. */
export function parseDeadline(text: string): Date | null | undefined {
  if (text.trim() === '') return null;
  const match = /^(\d{4})-(\d{1,2})-(\d{1,2})(?: +(\d{1,2}):(\d{1,2}))?$/.exec(text.trim());
  if (!match) return undefined;
  const [year, month, day, hour, minute] = match.slice(1).map((part) => Number(part ?? 0));
  const date = new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day, hour, minute));
  // Date.UTC carries 2026-02-30 over into March; such a date is a fault, not a wish.
  const kept =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() + 1 === month &&
    date.getUTCDate() === day &&
    (hour ?? 0) < 24 &&
    (minute ?? 0) < 60;
  return kept ? date : undefined;
}
