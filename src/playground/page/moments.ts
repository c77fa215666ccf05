const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

const styles: Record<string, Intl.DateTimeFormatOptions> = {
  t: { timeStyle: 'short' },
  T: { timeStyle: 'medium' },
  d: { dateStyle: 'short' },
  D: { dateStyle: 'long' },
  f: { dateStyle: 'long', timeStyle: 'short' },
  F: { dateStyle: 'full', timeStyle: 'short' },
};

const steps: [unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** "Today at 10:48", as Discord writes it beside a name. */
export function messageTime(iso: string): string {
  const date = new Date(iso);
  const today = new Date();
  const yesterday = new Date(today.getTime() - 86_400_000);
  if (date.toDateString() === today.toDateString()) return `Today at ${clock.format(date)}`;
  if (date.toDateString() === yesterday.toDateString()) return `Yesterday at ${clock.format(date)}`;
  return `${date.toLocaleDateString()} ${clock.format(date)}`;
}

/** The text of `<t:seconds:style>`. */
export function timestampText(seconds: number, style: string): string {
  if (style === 'R') return relativeText(seconds);
  return new Date(seconds * 1000).toLocaleString(undefined, styles[style] ?? styles.f);
}

function relativeText(seconds: number): string {
  const away = seconds - Date.now() / 1000;
  for (const [unit, size] of steps) {
    if (Math.abs(away) >= size) return relative.format(Math.round(away / size), unit);
  }
  return relative.format(Math.round(away), 'second');
}

/** Keeps "2 minutes ago" true on the open page. */
export function keepRelativeTimesTrue(): void {
  setInterval(() => {
    for (const element of document.querySelectorAll<HTMLElement>('time[data-relative]')) {
      const text = relativeText(Number(element.dataset.relative));
      if (element.textContent !== text) element.textContent = text;
    }
  }, 1000);
}
