/** Boxes as organisers see them. */
import type { APIEmbed } from 'discord-api-types/v10';
import { boxErrorKinds, boxErrorRemedies } from '../domain/box-error.ts';
import type { Finding } from '../domain/box-health.ts';
import { colours } from './colours.ts';
import { code, cut, plain } from './markdown.ts';

export interface BoxView {
  name: string;
  /** `user@host:port`, or null for the local machine. */
  address: string | null;
  gpuTypes: string[];
  slots: number;
  state: 'ready' | 'draining' | 'quarantined' | 'offline' | 'removed';
  problem: string | null;
  unsafe: boolean;
  /** Jobs on it now. */
  running: number;
}

const stateMarks: Record<BoxView['state'], string> = {
  ready: '🟢',
  draining: '🟠',
  quarantined: '🟣',
  offline: '🔴',
  removed: '⚫',
};

export function boxListEmbed(boxes: BoxView[]): APIEmbed {
  const lines = boxes.map((box) => {
    const where = box.address === null ? 'this machine' : code(box.address);
    const load = `${box.running} of ${box.slots} ${box.slots === 1 ? 'slot' : 'slots'} busy`;
    const unsafe = box.unsafe ? '\n⚠️ Runs submissions without a sandbox if it has none' : '';
    const problem = box.problem ? `\n${cut(plain(box.problem), 300)}` : '';
    return `${stateMarks[box.state]} **${plain(box.name)}** · ${box.gpuTypes.join(', ')} · ${where} · ${stateWord(box)}, ${load}${unsafe}${problem}`;
  });
  return {
    title: 'Boxes',
    color: colours.running,
    description: cut(lines.join('\n') || 'No box is registered. `/admin box add` registers one.', 4096),
  };
}

/** A box that drains and has nothing left to do is safe to switch off. */
function stateWord(box: BoxView): string {
  if (box.state === 'ready') return box.running > 0 ? 'busy' : 'ready';
  if (box.state === 'draining') return box.running > 0 ? 'draining' : 'drained';
  return box.state;
}

const findingMarks: Record<Finding['state'], string> = { ok: '✅', warn: '⚠️', bad: '❌', skipped: '➖' };

/** What was looked at so far, and what comes next if something does. */
export function findingsEmbed(
  title: string,
  findings: Finding[],
  end: { state: 'looking' } | { state: 'good' | 'bad'; text: string },
): APIEmbed {
  const lines = findings.map(
    (finding) => `${findingMarks[finding.state]} **${finding.name}** ${cut(plain(finding.text), 600)}`,
  );
  const colour = { looking: colours.running, good: colours.good, bad: colours.ours }[end.state];
  const last = end.state === 'looking' ? '⏳ Looking …' : `\n${end.text}`;
  return { title: cut(title, 256), color: colour, description: cut([...lines, last].join('\n'), 4096) };
}

/** What happened to a box lately, newest first. */
export function boxHistoryLines(events: { kind: string; message: string; at: Date }[]): string[] {
  return events.map(
    ({ kind, message, at }) =>
      `<t:${Math.floor(at.getTime() / 1000)}:R> ${kind}${message ? `: ${cut(plain(message), 160)}` : ''}`,
  );
}

/** What organisers read when a box goes away or comes back. */
export function boxNoticeEmbed(notice: { box: string; state: string; message: string }): APIEmbed {
  const { title, next, colour } = noticeTexts[notice.state] ?? noticeTexts.offline;
  return {
    title: cut(title(notice.box), 256),
    color: colour,
    description: cut(
      [plain(notice.message), remedyOf(notice.message), next].filter(Boolean).join('\n'),
      4096,
    ),
  };
}

/** A box that does not answer says why as `kind: message`. */
function remedyOf(problem: string): string {
  const kind = boxErrorKinds.find((name) => problem.startsWith(`${name}: `));
  return kind === undefined ? '' : boxErrorRemedies[kind];
}

interface NoticeText {
  title(box: string): string;
  next: string;
  colour: number;
}

const noticeTexts: Record<string, NoticeText> & { offline: NoticeText } = {
  ready: { title: (box) => `Box ${box} is back`, next: 'Its jobs go on.', colour: colours.good },
  offline: {
    title: (box) => `Box ${box} cannot be used`,
    next: 'Jobs for it wait; none is lost.',
    colour: colours.ours,
  },
  draining: {
    title: (box) => `Box ${box} is being drained`,
    next: 'What runs there ends in its own time; nothing new is started before `/admin box resume`.',
    colour: colours.running,
  },
  quarantined: {
    title: (box) => `Box ${box} is in quarantine`,
    next: 'No timing is taken there. It is looked at again and comes back by itself when it is in order; `/admin box doctor` looks now.',
    colour: colours.ours,
  },
};
