/** What a sync would do, or did, for the person who decides about it. */
import type { APIEmbed, APIEmbedField } from 'discord-api-types/v10';
import { type Commit, type Origin, originText } from '../domain/problem-source.ts';
import type { PlannedProblem, SyncPlan, SyncReport } from '../domain/sync-plan.ts';
import { hasWork, isMove } from '../domain/sync-plan.ts';
import { type Change, countLines } from '../domain/task-changes.ts';
import { colours } from './colours.ts';
import { code, cut, FIELD_CHARS, plain } from './markdown.ts';
import { timestamp } from './measure.ts';

/** Discord's 25 and 6000, less a reserve for what is added at the end. */
const MAX_PROBLEM_FIELDS = 12;
const PROBLEM_CHARS = 3600;
const LIST_CHARS = 700;
const DIFF_LINES = 9;
const DIFF_LINE_CHARS = 90;
const VALUE_CHARS = 60;

function groups({ problems }: SyncPlan) {
  const of = (change: PlannedProblem['change']) => problems.filter((problem) => problem.change === change);
  return {
    created: of('created'),
    changed: of('changed').filter((problem) => !isMove(problem)),
    moved: problems.filter(isMove),
    unchanged: of('unchanged'),
  };
}

export function planTitle(plan: SyncPlan): string {
  const { created, changed, moved, unchanged } = groups(plan);
  const { refused } = plan;
  const counts = [
    ...(created.length > 0 ? [`${created.length} new`] : []),
    ...(changed.length > 0 ? [`${changed.length} changed`] : []),
    ...(moved.length > 0 ? [`${moved.length} from elsewhere`] : []),
    `${unchanged.length} unchanged`,
    ...(refused.length > 0 ? [`${refused.length} refused`] : []),
  ];
  return `Plan: ${counts.join(', ')}`;
}

export function planEmbed(plan: SyncPlan): APIEmbed {
  const { created, changed, moved, unchanged } = groups(plan);
  const { refused, warnings, gone } = plan;
  const problems = problemFields([...changed, ...created]);
  return {
    title: planTitle(plan),
    color: refused.length > 0 ? colours.ours : hasWork(plan) ? colours.running : colours.waiting,
    description: [placeText(plan.origin, plan.commit), decision(plan)].join('\n'),
    fields: [
      ...problems.fields,
      ...listField(problems.left > 0 ? `And ${problems.left} more, in the file below` : '', problems.names),
      ...listField(
        `The same as on these boards, which come from here from now on (so far from ${places(moved)})`,
        [names(moved.map((problem) => problem.entry.leaderboard))],
      ),
      ...listField(
        'Refused: left out, the others go on',
        refused.map((fault) => `⛔ ${plain(fault)}`),
      ),
      ...listField(
        'Warnings',
        warnings.map((warning) => `⚠️ ${plain(warning)}`),
      ),
      ...listField('Not in it any more: these boards stay as they are', [names(gone)]),
      ...listField('Unchanged', [names(unchanged.map((problem) => problem.entry.leaderboard))]),
    ],
  };
}

/** Where they came from, as long as that is one place. */
function places(moved: PlannedProblem[]): string {
  const from = new Set(moved.map((problem) => problem.changes[0]?.before ?? ''));
  return from.size === 1 ? cut([...from].join(''), 100) : 'several places';
}

function decision(plan: SyncPlan): string {
  if (hasWork(plan)) return '**Nothing has been changed yet.**';
  return plan.refused.length > 0
    ? 'Everything else is as it is on the boards.'
    : 'All of it is on the boards already: there is nothing to do.';
}

/** Where it was read, with the commit that it was. */
export function placeText(origin: Origin, commit: Commit | null): string {
  const place = `From ${origin.kind === 'directory' ? originText(origin) : code(cut(originText(origin), 300))}`;
  if (commit === null) return place;
  return `${place}\nCommit ${code(commit.hash.slice(0, 10))} ${plain(cut(commit.subject, 100))}, ${timestamp(commit.committedAt, 'R')}`;
}

function problemFields(problems: PlannedProblem[]): {
  fields: APIEmbedField[];
  left: number;
  names: string[];
} {
  const fields: APIEmbedField[] = [];
  let room = PROBLEM_CHARS;
  for (const problem of problems.slice(0, MAX_PROBLEM_FIELDS)) {
    const field = {
      name: cut(problemTitle(problem), 256),
      value: problemText(problem, Math.min(room, FIELD_CHARS)),
    };
    room -= field.name.length + field.value.length;
    if (room < 0) break;
    fields.push(field);
  }
  const rest = problems.slice(fields.length);
  return { fields, left: rest.length, names: [names(rest.map((problem) => problem.entry.leaderboard))] };
}

function problemTitle({ entry, change, versionBefore, versionAfter }: PlannedProblem): string {
  if (change === 'created') return `🆕 ${entry.leaderboard} · new`;
  const version =
    versionBefore === versionAfter ? `version ${versionAfter}` : `version ${versionBefore} → ${versionAfter}`;
  return `✏️ ${entry.leaderboard} · ${version}`;
}

function problemText(problem: PlannedProblem, chars: number): string {
  const { entry, change } = problem;
  if (change === 'created') {
    const deadline = entry.deadline === null ? 'no deadline' : `until ${timestamp(entry.deadline, 'f')}`;
    const count = (list: string[], one: string) => `${list.length} ${one}${list.length === 1 ? '' : 's'}`;
    const cases = `${count(entry.task.tests, 'test')}, ${count(entry.task.benchmarks, 'benchmark')}`;
    return cut(
      `In set ${code(entry.set)}: ${cases}, on ${entry.gpus.map(code).join(' ')}, ${deadline}`,
      chars,
    );
  }
  const after = effectText(problem);
  // Short values first: they say most in one line.
  const changes = [...problem.changes].sort((a, b) => Number(a.diff !== null) - Number(b.diff !== null));
  const lines: string[] = [];
  let left = 0;
  for (const item of changes) {
    const used = lines.join('\n').length + after.length + 40;
    const text = changeText(item, chars - used);
    if (text === null) left++;
    else lines.push(text);
  }
  if (left > 0) lines.push(`and ${left} more in the file below`);
  return [...lines, after].join('\n');
}

function effectText(problem: PlannedProblem): string {
  if (!problem.asksForRejudge) return '→ counts at once; scores stay comparable';
  if (problem.ranked === 0) return '→ counts at once: nobody is ranked yet';
  const { ranked } = problem;
  return `⚖️ → ${ranked} ranked ${ranked === 1 ? 'submission was' : 'submissions were'} judged otherwise: a rejudge is offered`;
}

/** Null where it does not fit. */
function changeText(change: Change, chars: number): string | null {
  if (change.diff === null) {
    const value = (text: string | null) => (text === null ? '(none)' : cut(text, VALUE_CHARS));
    const text = `${code(change.key)} ${code(value(change.before))} → ${code(value(change.after))}`;
    return text.length <= chars ? text : null;
  }
  const { added, removed } = countLines(change.diff);
  const head = `${code(change.key)} +${added} −${removed} ${added + removed === 1 ? 'line' : 'lines'}`;
  const all = change.diff.split('\n').filter((line) => /^[+-]/.test(line));
  for (let shown = Math.min(all.length, DIFF_LINES); shown > 0; shown--) {
    const more = all.length > shown ? [`  … ${all.length - shown} more`] : [];
    const lines = all.slice(0, shown).map((line) => cut(line.replaceAll('```', "'''"), DIFF_LINE_CHARS));
    const text = `${head}\n\`\`\`diff\n${[...lines, ...more].join('\n').toWellFormed()}\n\`\`\``;
    if (text.length <= chars) return text;
  }
  return head.length <= chars ? head : null;
}

function names(list: string[]): string {
  return list.map(code).join(' ');
}

/** As many as fit, and how many do not; none at all without a text. */
function listField(name: string, lines: string[]): APIEmbedField[] {
  const texts = lines.filter((line) => line !== '');
  if (texts.length === 0 || name === '') return [];
  let value = '';
  let left = texts.length;
  for (const text of texts) {
    const line = cut(text, LIST_CHARS - 40);
    if (value.length + line.length > LIST_CHARS) break;
    value += `${value === '' ? '' : '\n'}${line}`;
    left--;
  }
  if (left > 0) value += `\n… and ${left} more`;
  return [{ name, value }];
}

/** Every change in full, for reading beside the embed. */
export function planFile(plan: SyncPlan): { name: string; text: string } {
  const parts = plan.problems
    .filter((problem) => problem.change !== 'unchanged')
    .map((problem) => {
      const { entry, change } = problem;
      if (change === 'created')
        return `=== ${entry.leaderboard}: new, from ${entry.set}.yaml, ${entry.directory}, on ${entry.gpus.join(', ')}`;
      return [
        `=== ${entry.leaderboard}: version ${problem.versionBefore} -> ${problem.versionAfter}`,
        ...problem.changes.map(
          (item) =>
            `--- ${item.key} (${item.effect === 'rejudge' ? 'asks for a rejudge' : 'counts at once'})\n${item.diff ?? `-${item.before ?? ''}\n+${item.after ?? ''}`}`,
        ),
      ].join('\n');
    });
  const list = (title: string, lines: string[]) =>
    lines.length > 0 ? [`=== ${title}\n${lines.join('\n')}`] : [];
  const text = [
    ...parts,
    ...list('refused', plan.refused),
    ...list('warnings', plan.warnings),
    ...list('not in it any more', plan.gone),
  ].join('\n\n');
  return { name: 'plan.diff', text: `${cut(text, 3_000_000)}\n` };
}

/** After it was applied. */
export function syncEmbed(report: SyncReport, place: string): APIEmbed {
  const nothing = report.created.length + report.updated.length === 0;
  const judged = report.rejudge.map(
    (board) =>
      `⚖️ ${code(board.leaderboard)}: ${board.ranked} ranked submissions were judged by an earlier version`,
  );
  return {
    title: nothing ? 'Nothing was changed' : 'Problems applied',
    color: report.refused.length > 0 ? colours.ours : colours.good,
    description: place,
    fields: [
      ...listField('Created', [names(report.created)]),
      ...listField('Changed', [names(report.updated)]),
      ...listField('A rejudge would make these boards comparable again', judged),
      ...listField(
        'Not applied',
        report.refused.map((fault) => `⛔ ${plain(fault)}`),
      ),
    ],
  };
}
