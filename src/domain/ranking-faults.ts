/**
 * Whether a rule fits a board. Every fault is one sentence that says why and what to write instead; a rule with a fault is
 * not taken. Pure: the facts about the board come from the database.
 */
import { type Composite, isAscending, MEASURED, type RankingRule, WEIGHT_SLACK } from './ranking-rule.ts';
import type { Task } from './task.ts';

const HOURS_A_DAY = 24;

/** A board that a composite may take in. */
export interface MemberBoard {
  name: string;
  gpus: string[];
  scoreAscending: boolean;
  /** Only for those who were invited. */
  isClosed: boolean;
}

export interface BoardFacts {
  name: string;
  gpus: string[];
  isClosed: boolean;
  task: Pick<Task, 'rankingBy' | 'benchmarks' | 'scoreAscending'>;
  /** Names of all metrics that runs on this board have reported. */
  metrics: string[];
  /** All other boards. */
  others: MemberBoard[];
  /** Composites of other boards that take this one in, each with the directions of its other members. */
  hosts: { leaderboard: string; composite: string; scoreAscending: boolean[] }[];
}

export function rankingFaults(rule: RankingRule, board: BoardFacts): string[] {
  return [
    ...metricFaults(rule, board),
    ...aggregationFaults(rule, board),
    ...windowFaults(rule),
    ...scorerFaults(rule),
    ...categoryFaults(rule, board),
    ...(rule.composites ?? []).flatMap((composite) => compositeFaults(composite, rule, board)),
    ...hostFaults(rule, board),
    ...repeated((rule.composites ?? []).map((item) => item.name)).map(
      (name) => `Two composites are called \`${name}\`: give each its own name.`,
    ),
  ];
}

function metricFaults(rule: RankingRule, board: BoardFacts): string[] {
  const faults: string[] = [];
  if (rule.metric === undefined) {
    if (rule.unit !== undefined)
      faults.push('`unit` belongs to a `metric`: times are always shown as times. Leave it out.');
    return faults;
  }
  if (!board.metrics.includes(rule.metric)) {
    const there =
      board.metrics.length > 0 ? `They report: ${board.metrics.join(', ')}.` : 'They report none so far.';
    faults.push(
      `No run on \`${board.name}\` has reported the metric \`${rule.metric}\`. ${there} Let a run report it first (\`metric.${rule.metric}: value\`).`,
    );
  }
  if (rule.direction === undefined)
    faults.push(
      `Say whether a \`lower\` or a \`higher\` \`${rule.metric}\` is better: \`direction\` is missing.`,
    );
  if (rule.aggregation !== undefined)
    faults.push(
      '`aggregation` sums up benchmark times, and a named metric is one number for the whole run. Leave one of the two out.',
    );
  return faults;
}

function aggregationFaults(rule: RankingRule, board: BoardFacts): string[] {
  const { aggregation, shapeWeights } = rule;
  const count = board.task.benchmarks.length;
  if (shapeWeights && aggregation !== 'weighted')
    return [
      '`shapeWeights` only mean something with `aggregation: weighted`. Add it, or leave the weights out.',
    ];
  if (aggregation !== undefined && board.task.rankingBy === 'custom')
    return [
      'The task measures by itself (`ranking_by: custom`): there are no benchmark times to sum up. Leave `aggregation` out.',
    ];
  if (aggregation === undefined || aggregation === 'last') return [];
  if (board.task.rankingBy === 'last') {
    return [
      `The task times its last benchmark alone (\`ranking_by: last\`), so that there is nothing to sum up by \`${aggregation}\`. Change \`ranking_by\` in task.yml first.`,
    ];
  }
  if (aggregation !== 'weighted') return [];
  if (!shapeWeights)
    return ['`aggregation: weighted` needs `shapeWeights`: one weight for each benchmark, in order.'];
  if (shapeWeights.length !== count)
    return [
      `\`shapeWeights\` has ${shapeWeights.length} weights, and the task has ${count} benchmarks: give one for each.`,
    ];
  return sumFault('`shapeWeights`', shapeWeights);
}

function windowFaults(rule: RankingRule): string[] {
  if (!rule.windows) return [];
  if (rule.remeasure) {
    if (rule.remeasure.everyHours <= HOURS_A_DAY) return [];
    return [
      `Windows need measurements every day, and \`everyHours\` is ${rule.remeasure.everyHours}: the window of one day would be empty most of the time. Set it to ${HOURS_A_DAY} or less, or leave \`windows\` out.`,
    ];
  }
  return [
    'Windows need repeated measurements, and this board measures nothing again: they would stay empty. Add `remeasure` (for example `{top: 10, everyHours: 6}`), or leave `windows` out.',
  ];
}

function scorerFaults(rule: RankingRule): string[] {
  const names = (rule.scorers ?? []).map((item) => item.name);
  const faults = repeated(names).map((name) => `Two scorers are called \`${name}\`: give each its own name.`);
  const { weights, reference } = rule;
  if (!weights) {
    if (reference !== undefined)
      faults.push(
        '`reference` turns what is measured into points, and nothing is weighed here. Add `weights`, or leave it out.',
      );
    return faults;
  }
  const known = [MEASURED, ...names];
  for (const name of Object.keys(weights).filter((item) => !known.includes(item)))
    faults.push(
      `\`weights\` names \`${name}\`, which is no scorer of this board. There are: ${known.join(', ')}.`,
    );
  faults.push(...sumFault('`weights`', Object.values(weights)));
  const isMeasured = Object.hasOwn(weights, MEASURED);
  if (isMeasured && reference === undefined)
    faults.push(
      `A weight for \`${MEASURED}\` needs a \`reference\`: the measured value that gives half of its points (in seconds where the time counts).`,
    );
  if (!isMeasured && reference !== undefined)
    faults.push(
      `\`reference\` belongs to a weight for \`${MEASURED}\`, which has none. Add the weight, or leave it out.`,
    );
  if (!isMeasured && rule.windows)
    faults.push(`With windows, \`${MEASURED}\` needs a weight: they are about nothing else.`);
  for (const name of names.filter((item) => !Object.hasOwn(weights, item)))
    faults.push(`The scorer \`${name}\` has no weight. Give it one, or take it off the list.`);
  return faults;
}

function categoryFaults(rule: RankingRule, board: BoardFacts): string[] {
  const faults = repeated(rule.categories ?? []).map((name) => `\`categories\` names \`${name}\` twice.`);
  if (!rule.categories?.includes('shape')) return faults;
  if (board.task.rankingBy === 'custom')
    faults.push(
      'The task measures by itself (`ranking_by: custom`): its benchmarks cannot be ranked apart. Leave `shape` out.',
    );
  if (board.task.rankingBy === 'last')
    faults.push(
      'The task times its last benchmark alone (`ranking_by: last`): there are no shapes to rank apart. Leave `shape` out.',
    );
  return faults;
}

function compositeFaults(composite: Composite, rule: RankingRule, board: BoardFacts): string[] {
  const faults: string[] = [];
  const called = `The composite \`${composite.name}\``;
  if (board.gpus.some((gpu) => gpu.toLowerCase() === composite.name.toLowerCase()))
    faults.push(`${called} has the name of a GPU type of this board: give it another one.`);
  faults.push(
    ...sumFault(
      `The weights of \`${composite.name}\``,
      composite.members.map((member) => member.weight),
    ),
  );
  const own = {
    name: board.name,
    gpus: board.gpus,
    scoreAscending: isAscending(rule, board.task),
    isClosed: board.isClosed,
  };
  const found: { name: string; scoreAscending: boolean; gpu: string }[] = [];
  for (const member of composite.members) {
    const wanted = member.leaderboard ?? board.name;
    const at = [own, ...board.others].find((item) => item.name.toLowerCase() === wanted.toLowerCase());
    if (!at) {
      faults.push(`${called} names the board \`${wanted}\`, which does not exist.`);
      continue;
    }
    if (at.isClosed && !board.isClosed)
      faults.push(
        `${called} would show entries of \`${at.name}\`, which is closed, to everybody: put it on a closed board.`,
      );
    const gpu = at.gpus.find((item) => item.toLowerCase() === member.gpu.toLowerCase());
    if (gpu === undefined)
      faults.push(
        `${called} names \`${member.gpu}\`, on which \`${at.name}\` does not run. It runs on: ${at.gpus.join(', ')}.`,
      );
    else found.push({ name: at.name, scoreAscending: at.scoreAscending, gpu });
  }
  for (const name of repeated(found.map((item) => `${item.gpu} of ${item.name}`)))
    faults.push(`${called} names ${name} twice: give it one weight.`);
  if (new Set(found.map((item) => item.scoreAscending)).size > 1)
    faults.push(
      `${called} mixes boards on which lower is better with boards on which higher is better: such scores cannot be summed up.`,
    );
  return faults;
}

function hostFaults(rule: RankingRule, board: BoardFacts): string[] {
  const ascending = isAscending(rule, board.task);
  return board.hosts
    .filter((host) => host.scoreAscending.some((other) => other !== ascending))
    .map(
      ({ leaderboard, composite }) =>
        `The composite \`${composite}\` of \`${leaderboard}\` takes this board in beside boards on which ${ascending ? 'higher' : 'lower'} is better: with this rule their scores could not be summed up. Take this board out of it first.`,
    );
}

function sumFault(what: string, weights: number[]): string[] {
  const sum = weights.reduce((total, value) => total + value, 0);
  if (Math.abs(sum - 1) <= WEIGHT_SLACK) return [];
  return [`${what} sum up to ${Number(sum.toPrecision(6))}, not to 1. Change them so that they do.`];
}

function repeated(names: string[]): string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}
