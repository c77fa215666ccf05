/** Moments as people type them: a time of the calendar in UTC, or how long until or since then. */

const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90m`, `24h` and `3d` from now, `2026-11-20` (its end) or `2026-11-20 18:00`; null for anything else. */
export function parseMoment(text: string, now: Date): Date | null {
  const words = text.trim().replace(/^(in\s+|\+\s*)/i, '');
  const ahead = /^(\d{1,4})\s*([mhd])$/i.exec(words);
  if (ahead)
    return new Date(now.getTime() + Number(ahead[1]) * unitMs[ahead[2]?.toLowerCase() as 'm' | 'h' | 'd']);
  const date = /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{1,2}):(\d{2})(?::00)?)?\s*(?:UTC|Z)?$/i.exec(words);
  if (!date) return null;
  const isWholeDay = date[4] === undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = date.slice(1).map((part) => Number(part ?? 0));
  const at = new Date(Date.UTC(year, month - 1, day, hour, minute));
  // Date.UTC carries a 31st of February over into March.
  const isReal = at.getUTCMonth() + 1 === month && at.getUTCDate() === day && hour < 24 && minute < 60;
  if (!isReal) return null;
  return isWholeDay ? new Date(at.getTime() + unitMs.d - unitMs.m) : at;
}

/** `90m`, `24h`, `3d` ago, or a date of the calendar in UTC; null for anything else. */
export function parseSince(text: string, now: Date): Date | null {
  const ago = /^(\d{1,5})\s*([mhd])$/i.exec(text.trim());
  if (ago) return new Date(now.getTime() - Number(ago[1]) * unitMs[ago[2]?.toLowerCase() as 'm' | 'h' | 'd']);
  const date = /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{1,2}):(\d{2}))?$/.exec(text.trim());
  if (!date) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = date.slice(1).map((part) => Number(part ?? 0));
  const at = new Date(Date.UTC(year, month - 1, day, hour, minute));
  // Date.UTC carries a 31st of February over into March.
  const isReal = at.getUTCMonth() + 1 === month && at.getUTCDate() === day && hour < 24 && minute < 60;
  return isReal ? at : null;
}
