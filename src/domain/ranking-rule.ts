/**
 * How a board ranks: the rule as data. It is kept as JSON on the leaderboard; what it means in numbers is SQL's business
 * alone (migration 0010, `hotlap.refresh_entries`), in words reports/ranking-words.ts, and whether it fits a board
 * ranking-faults.ts.
 *
 * The empty rule is the default: the time of the public run as the task sums it up, the secret run as gate.
 */
import { z } from 'zod';
import { METRIC_NAME } from './result-lines.ts';

/** Weights are meant to sum up to 1; this much is rounding. */
export const WEIGHT_SLACK = 1e-6;
/** What a missing value of an optional scorer counts as: the middle of the scale. */
export const NEUTRAL_SCORE = 0.5;
/** The scorer that is no person: what the run measured. */
export const MEASURED = 'measured';

export const windowNames = ['anchor', 'steady', 'recent'] as const;
export type WindowName = (typeof windowNames)[number];
/** Of what is measured, so that no sum or quotient of such numbers is too large or too small to be one. */
const SMALLEST = 1e-100;
const LARGEST = 1e100;

/** In the order in which they decide. */
export const windowDays: Record<WindowName, number> = { anchor: 7, steady: 3, recent: 1 };

export const categories = ['language', 'shape'] as const;

const shortName = z.string().regex(/^[a-z][a-z0-9_-]{0,29}$/, 'should be 1 to 30 of a-z, 0-9, _ and -');
const weight = z.number().positive('should be a weight above 0').max(1, 'should be a weight of at most 1');

const scorer = z.strictObject({
  name: shortName.refine(
    (name) => name !== MEASURED,
    `should not be "${MEASURED}": that is the run's own value`,
  ),
  /** Without a value of it nobody is ranked; else a missing value counts as the middle. */
  required: z.boolean().default(true),
  /** What judges look at, for their eyes. */
  about: z.string().trim().min(1).max(200).optional(),
});
export type Scorer = z.infer<typeof scorer>;

const composite = z.strictObject({
  name: shortName,
  /** geom: the weighted geometric mean, which suits times of different sizes; mean: the weighted sum. */
  combine: z.enum(['geom', 'mean']).default('geom'),
  members: z
    .array(
      z.strictObject({
        /** Left out: the board that has the rule. */
        leaderboard: z.string().min(1).max(100).optional(),
        gpu: z.string().min(1).max(100),
        weight,
      }),
    )
    .min(2, 'should have at least two members')
    .max(50),
});
export type Composite = z.infer<typeof composite>;

export const rankingRule = z.strictObject({
  /** Left out: the time. */
  metric: z.string().regex(METRIC_NAME, 'should be the name of a metric: a-z, 0-9 and _').optional(),
  /** Left out: as the task says. */
  direction: z.enum(['lower', 'higher']).optional(),
  /** What the metric is measured in, as people read it: `tokens/s`. */
  unit: z.string().trim().min(1).max(20).optional(),
  /** How benchmark times become one; left out: as the task says (`ranking_by`). */
  aggregation: z.enum(['last', 'mean', 'geom', 'weighted']).optional(),
  /** With `weighted`: one for each benchmark, in their order. */
  shapeWeights: z.array(weight).min(1).max(1000).optional(),
  /** Left out: the public run counts, and the secret one only has to pass. */
  score: z.enum(['public', 'secret']).optional(),
  /** Below it an entry is marked provisional. */
  minimumRuns: z.int().min(1).max(1000).optional(),
  /** Ranked by means over 7, 3 and 1 days of repeated measurements. */
  windows: z.boolean().optional(),
  /** The best of each GPU type are measured again in idle time, each so often. */
  remeasure: z
    .strictObject({ top: z.int().min(1).max(100), everyHours: z.number().min(0.25).max(168) })
    .optional(),
  /** What judges give values for, from 0 to 1. */
  scorers: z.array(scorer).min(1).max(20).optional(),
  /** What the ranking score is made of: scorers by name, and `measured`. Left out: judges' values are for show. */
  weights: z.record(z.string(), weight).optional(),
  /** With a weight for `measured`: the measured value that gives half of its points. */
  reference: z.number().min(SMALLEST).max(LARGEST).optional(),
  categories: z.array(z.enum(categories)).min(1).max(categories.length).optional(),
  composites: z.array(composite).min(1).max(20).optional(),
});
export type RankingRule = z.infer<typeof rankingRule>;

/** What somebody wrote, as a rule; or every fault as `key: what is wrong`. Values that say the default are dropped. */
export function readRankingRule(value: unknown): { rule: RankingRule } | { faults: string[] } {
  const parsed = rankingRule.safeParse(value ?? {});
  if (!parsed.success) return { faults: parsed.error.issues.map(faultText) };
  const { score, windows, minimumRuns, ...rule } = parsed.data;
  return {
    rule: {
      ...rule,
      ...(score === 'secret' && { score }),
      ...(windows && { windows }),
      ...(minimumRuns !== undefined && minimumRuns > 1 && { minimumRuns }),
    },
  };
}

function faultText(issue: z.core.$ZodIssue): string {
  const where = issue.path.map((part) => (typeof part === 'number' ? `${part + 1}` : String(part))).join('.');
  if (issue.code === 'unrecognized_keys') {
    const keys = issue.keys.map((key) => `\`${key}\``).join(', ');
    return `${keys}: no such key${where === '' ? '' : ` in \`${where}\``}. There are: ${ruleKeys.join(', ')}.`;
  }
  return `${where === '' ? 'The rule' : `\`${where}\``}: ${inWords(issue)}.`;
}

const kinds: Record<string, string> = {
  object: 'keys with values, such as `{score: secret}`',
  record: 'names with weights, such as `{measured: 1}`',
  array: 'a list in square brackets',
  boolean: '`true` or `false`',
  number: 'a finite number',
  int: 'a whole number',
  string: 'text',
};

/** What was written for this key, in the words of whoever writes rules. Sentences of our own stay. */
function inWords(issue: z.core.$ZodIssue): string {
  if (issue.message.startsWith('should')) return issue.message;
  const origin = 'origin' in issue ? issue.origin : '';
  const counted = origin === 'array' ? ' long' : origin === 'string' ? ' characters' : '';
  switch (issue.code) {
    case 'invalid_type':
      return `should be ${kinds[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `should be one of ${issue.values.map((value) => `\`${String(value)}\``).join(', ')}`;
    case 'too_small':
      return `should be ${issue.inclusive ? 'at least' : 'above'} ${issue.minimum}${counted}`;
    case 'too_big':
      return `should be ${issue.inclusive ? 'at most' : 'below'} ${issue.maximum}${counted}`;
    default:
      return issue.message;
  }
}

export const ruleKeys = Object.keys(rankingRule.shape);

/** Whether more is better, by what the rule says and, where it says nothing, the task. Points are always so. */
export function isAscending(rule: RankingRule, task: { scoreAscending: boolean }): boolean {
  if (rule.weights) return false;
  return measuredAscending(rule, task);
}

/** The direction of what is measured, before it becomes points. */
export function measuredAscending(rule: RankingRule, task: { scoreAscending: boolean }): boolean {
  return rule.direction === undefined ? task.scoreAscending : rule.direction === 'lower';
}

/**
 * What a ranking score is measured in. `s`: seconds, shown as a time; empty: a bare number. `taskUnit`: of what the task
 * itself scores (`scoreUnit`).
 */
export function unitOf(rule: RankingRule, taskUnit: string): string {
  if (rule.weights) return 'points';
  return rule.metric === undefined ? taskUnit : (rule.unit ?? '');
}
