/** Numbers as people read them. */
import type { Eta } from '../domain/eta.ts';

/** A time with four significant digits in the unit that suits it: 1.234 ms, 12.34 µs, 2.000 s. */
export function formatSeconds(seconds: number): string {
  // Rounded first: 0.99999 s is 1.000 s, not 1000.0 ms.
  const [factor, unit] = timeUnit(Math.abs(Number(seconds.toPrecision(4))));
  const value = seconds * factor;
  const exponent = Number(value.toExponential(3).split('e')[1]);
  const digits = value === 0 ? 0 : Math.max(0, 3 - exponent);
  return `${value.toFixed(Math.min(digits, 6))} ${unit}`;
}

/** The unit that suits a time, and how many of it are in a second. */
export function timeUnit(seconds: number): [number, string] {
  if (seconds >= 1 || seconds === 0) return [1, 's'];
  if (seconds >= 1e-3) return [1e3, 'ms'];
  if (seconds >= 1e-6) return [1e6, 'µs'];
  return [1e9, 'ns'];
}

/** `unit` as in domain/ranking-rule.ts: `s` is a time, shown in the unit that suits it; empty a bare number. */
export function formatScore(score: number | null, unit = 's'): string {
  if (score === null) return '—';
  if (unit === 's') return formatSeconds(score);
  return unit === '' ? formatValue(score) : `${formatValue(score)} ${unit}`;
}

/** Four significant digits, without an exponent while that stays readable. */
export function formatValue(value: number): string {
  const rounded = Number(value.toPrecision(4));
  const size = Math.abs(rounded);
  return size !== 0 && (size < 1e-4 || size >= 1e9) ? rounded.toExponential() : String(rounded);
}

export function formatDuration(ms: number): string {
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** `, done in about 2 to 5 min`: rounded, because it is an estimate. Empty where there is none. */
export function etaText(eta: Eta | null): string {
  if (eta === null) return '';
  const [low, high] = [roughly(eta.lowMs), roughly(eta.highMs)];
  return low === high ? `, done in about ${high}` : `, done in about ${low} to ${high}`;
}

function roughly(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return '10 s';
  if (seconds < 90) return `${Math.round(seconds / 10) * 10} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

/** A Discord timestamp that every reader sees in their own time zone. */
export function timestamp(date: Date, style: 'R' | 'f' | 'F' | 'd'): string {
  return `<t:${Math.floor(date.getTime() / 1000)}:${style}>`;
}
