/** A ranking rule in words, for `/leaderboard task` and whoever else says how a board ranks. */
import {
  type Composite,
  isAscending,
  MEASURED,
  measuredAscending,
  type RankingRule,
  unitOf,
  windowDays,
  windowNames,
} from '../domain/ranking-rule.ts';
import { scoreUnit, type Task } from '../domain/task.ts';
import { formatScore, formatValue } from './measure.ts';

type RankedTask = Pick<Task, 'rankingBy' | 'scoreAscending' | 'serving'>;

/** The rule in one line: what counts and which way. */
export function rankingHeadline(rule: RankingRule, task: RankedTask): string {
  const better = isAscending(rule, task) ? 'lower is better' : 'higher is better';
  if (rule.weights) return `points, ${better}`;
  return `${measuredText(rule, task)}; ${better}`;
}

const aggregations = {
  last: 'the last benchmark',
  mean: 'the mean of all benchmarks',
  geom: 'the geometric mean of all benchmarks',
  weighted: 'all benchmarks by weight',
  custom: 'as its harness measures it',
};

function measuredText(rule: RankingRule, task: RankedTask): string {
  if (rule.metric !== undefined) return `${rule.metric}${rule.unit === undefined ? '' : ` in ${rule.unit}`}`;
  if (task.serving) return `${task.serving.metric} in ${task.serving.unit}`;
  return `time, ${aggregations[rule.aggregation ?? task.rankingBy]}`;
}

/** The whole rule, a sentence an item; each says one thing that a participant may want to know. */
export function rankingSentences(rule: RankingRule, task: RankedTask): string[] {
  return [
    ...measuredSentences(rule, task),
    rule.score === 'secret'
      ? 'The secret run counts; the public one has to pass as well. Secret scores are shown to nobody but their owner.'
      : 'The public run counts; the secret one has to pass as well.',
    ...windowSentences(rule),
    ...pointSentences(rule, task),
    ...(rule.minimumRuns === undefined
      ? []
      : [`Below ${rule.minimumRuns} ranked runs on a GPU type an entry is marked provisional.`]),
    ...remeasureSentences(rule),
    ...categorySentences(rule),
    ...(rule.composites ?? []).map(compositeSentence),
    'Equal scores share a rank; the earlier one stands first.',
  ];
}

function measuredSentences(rule: RankingRule, task: RankedTask): string[] {
  const better = measuredAscending(rule, task) ? 'Lower is better' : 'Higher is better';
  const shapes = rule.shapeWeights
    ? ` The benchmarks weigh ${rule.shapeWeights.map(share).join(', ')}, in their order.`
    : '';
  return [`Measured is ${measuredText(rule, task)}. ${better}.${shapes}`];
}

function windowSentences(rule: RankingRule): string[] {
  if (!rule.windows) return [];
  const names = windowNames.map((name) => `${name} (${days(windowDays[name])})`);
  return [
    `Ranked by the mean of repeated measurements over ${names.join(', then ')}: whoever has the longer window stands before those who do not have it yet. A window counts once its measurements reach back far enough.`,
  ];
}

function pointSentences(rule: RankingRule, task: RankedTask): string[] {
  const { weights, scorers = [] } = rule;
  if (!weights) {
    if (scorers.length === 0) return [];
    return [
      `Judges give values for ${scorers.map((item) => item.name).join(', ')}; they do not change the order.`,
    ];
  }
  const parts = Object.entries(weights).map(([name, weight]) => {
    if (name === MEASURED) return `what is measured ${share(weight)}`;
    const optional = scorers.find((item) => item.name === name)?.required === false;
    return `${name} ${share(weight)}${optional ? ' (optional: 0.5 while it is missing)' : ''}`;
  });
  const lines = [
    `Points are made of ${parts.join(', ')}. Judges give values from 0 to 1; several judges’ values are averaged.`,
  ];
  if (rule.reference !== undefined) {
    const reference = formatScore(rule.reference, unitOf({ ...rule, weights: undefined }, scoreUnit(task)));
    const better = measuredAscending(rule, task) ? 'less' : 'more';
    lines.push(`${reference} measured gives half of its points, ${better} gives more.`);
  }
  const required = scorers.filter((item) => item.required).map((item) => item.name);
  if (required.length > 0)
    lines.push(`Without a value for ${required.join(', ')} an entry is not ranked yet.`);
  return lines;
}

function remeasureSentences(rule: RankingRule): string[] {
  if (!rule.remeasure) return [];
  const { top, everyHours } = rule.remeasure;
  const who = top === 1 ? 'The first of each GPU type is' : `The first ${top} of each GPU type are`;
  return [
    `${who} measured again about every ${formatValue(everyHours)} h, while the machines have nothing else to do.`,
  ];
}

function categorySentences(rule: RankingRule): string[] {
  const lines: string[] = [];
  if (rule.categories?.includes('language')) lines.push('Each language has a board of its own as well.');
  if (rule.categories?.includes('shape'))
    lines.push('Each benchmark has a board of its own as well, by its time in the run that counts.');
  return lines;
}

function compositeSentence(composite: Composite): string {
  const members = composite.members.map((member) => {
    const where = member.leaderboard === undefined ? member.gpu : `${member.leaderboard} on ${member.gpu}`;
    return `${where} ${share(member.weight)}`;
  });
  const how = composite.combine === 'geom' ? 'weighted geometric mean' : 'weighted sum';
  return `The combined board ${composite.name} is the ${how} of ${members.join(', ')}; it lists who is ranked on all of them.`;
}

function share(weight: number): string {
  return `${Number((weight * 100).toPrecision(4))} %`;
}

function days(count: number): string {
  return count === 1 ? '1 day' : `${count} days`;
}
