/** Random boards for the property tests of the ranking: made by fast-check, written to the database by sets. */
import fc from 'fast-check';
import type { Db } from '../../src/db/client.ts';
import type { RankingRule } from '../../src/domain/ranking-rule.ts';
import type { Measured, RandomBoard, Review, Stays, Submitted } from './reference-ranking.ts';
import { plainTask } from './scene.ts';

export const GPUS = ['H100', 'A100'];
export const SHAPES = 3;
const USERS = 5;
const SCORERS = ['clarity', 'novelty'];
const JUDGES = ['j1', 'j2'];

/** Few values, so that there are ties; whole hours that lie on no window's edge. */
const seconds = fc.constantFrom(0.001, 0.002, 0.003, 0.004, 0.0125);
const oddScore = fc.oneof(
  { weight: 12, arbitrary: seconds },
  {
    weight: 1,
    arbitrary: fc.constantFrom(null, 0, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  },
);
const hoursAgo = fc.constantFrom(1, 5, 13, 22, 26, 40, 50, 71, 75, 100, 130, 160, 170, 200, 300);
const metricValue = fc.constantFrom(0, -3, 100, 150, 200, 250.5);

const measured: fc.Arbitrary<Omit<Measured, 'id'>> = fc.record({
  gpu: fc.constantFrom(...GPUS),
  secret: fc.constantFrom(false, false, true),
  passed: fc.constantFrom(true, true, true, false),
  hoursAgo,
  score: oddScore.map((value) => (value === null || Number.isFinite(value) ? value : null)),
  caseSeconds: fc.oneof(
    { weight: 8, arbitrary: fc.array(seconds, { minLength: SHAPES, maxLength: SHAPES }) },
    { weight: 1, arbitrary: fc.array(seconds, { maxLength: SHAPES - 1 }) },
  ),
  metrics: fc.oneof(
    { weight: 6, arbitrary: metricValue.map((value): Record<string, number> => ({ throughput: value })) },
    { weight: 1, arbitrary: fc.constant<Record<string, number>>({}) },
    { weight: 1, arbitrary: metricValue.map((value): Record<string, number> => ({ latency: value })) },
  ),
  remeasure: fc.constantFrom(null, null, 1, 2),
});

const review: fc.Arbitrary<Review> = fc.record({
  scorer: fc.constantFrom(...SCORERS),
  judge: fc.constantFrom(...JUDGES),
  value: fc.constantFrom(0, 0, 0.25, 0.5, 1),
  live: fc.constantFrom(true, true, false),
});

const submission: fc.Arbitrary<Omit<Submitted, 'id' | 'user'> & { userIndex: number }> = fc.record({
  userIndex: fc.nat(USERS - 1),
  createdMinute: fc.nat(3),
  invalid: fc.constantFrom(false, false, false, false, true),
  language: fc.constantFrom('Python', 'Triton'),
  scores: fc.tuple(
    ...GPUS.map((gpu) =>
      fc.record({
        gpu: fc.constant(gpu),
        eligible: fc.constantFrom(true, true, true, true, false),
        publicScore: oddScore,
        secretScore: oddScore,
      }),
    ),
  ),
  measured: fc.array(measured, { maxLength: 8, size: 'max' }) as fc.Arbitrary<Measured[]>,
  reviews: fc.uniqueArray(review, {
    maxLength: 5,
    // One live value for each judge and scorer; what it superseded may be there as well.
    selector: (item) => (item.live ? `${item.scorer} ${item.judge}` : JSON.stringify(item)),
  }),
});

/** Weights of two parts that sum up to 1 exactly. */
const halves: fc.Arbitrary<number[]> = fc.constantFrom([0.5, 0.5], [0.25, 0.75], [0.125, 0.875]);

const measuredPart: fc.Arbitrary<RankingRule> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<RankingRule>({}) },
  {
    weight: 2,
    arbitrary: fc.record({
      metric: fc.constant('throughput'),
      direction: fc.constantFrom('lower', 'higher'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ aggregation: fc.constantFrom('last', 'mean', 'geom') }) },
  {
    weight: 1,
    arbitrary: fc.constant<RankingRule>({ aggregation: 'weighted', shapeWeights: [0.5, 0.25, 0.25] }),
  },
);

const pointsPart: fc.Arbitrary<RankingRule> = fc
  .tuple(fc.constantFrom('measured', 'novelty'), halves, fc.boolean(), fc.boolean())
  .map(([other, [a = 0, b = 0], clarityRequired, noveltyRequired]) => ({
    scorers: [
      { name: 'clarity', required: clarityRequired },
      ...(other === 'novelty' ? [{ name: 'novelty', required: noveltyRequired }] : []),
    ],
    weights: { clarity: a, [other]: b },
    ...(other === 'measured' && { reference: 0.0025 }),
  }));

const rule: fc.Arbitrary<RankingRule> = fc
  .record({
    measuredPart,
    direction: fc.option(fc.constantFrom('lower' as const, 'higher' as const), { freq: 5 }),
    score: fc.option(fc.constant('secret' as const), { freq: 3 }),
    minimumRuns: fc.option(fc.constantFrom(2, 4)),
    windows: fc.constantFrom(false, true),
    points: fc.option(pointsPart, { freq: 2 }),
    categories: fc.constantFrom<RankingRule['categories'][]>(
      undefined,
      ['language'],
      ['shape'],
      ['language', 'shape'],
    ),
  })
  .map(({ measuredPart, direction, score, minimumRuns, windows, points, categories }) => {
    const onlyJudges = points !== null && points.weights?.measured === undefined;
    return {
      ...(direction !== null && { direction }),
      ...measuredPart,
      ...points,
      ...(score !== null && { score }),
      ...(minimumRuns !== null && { minimumRuns }),
      ...(windows && !onlyJudges && { windows: true, remeasure: { top: 5, everyHours: 6 } }),
      ...(categories && { categories }),
    };
  });

type BoardDraft = Omit<RandomBoard, 'id' | 'name' | 'submissions'> & {
  submissions: (Omit<Submitted, 'id' | 'user'> & { userIndex: number })[];
  composite: { own: number[] | null; previous: number[] | null; combine: 'geom' | 'mean' };
};

const board: fc.Arbitrary<BoardDraft> = fc.record({
  taskAscending: fc.constantFrom(true, true, false),
  deadlineHours: fc.constantFrom(null, null, 100, -12, -30),
  rule,
  submissions: fc.array(submission, { maxLength: 10, size: 'max' }),
  composite: fc.record({
    own: fc.option(halves),
    previous: fc.option(halves),
    combine: fc.constantFrom('geom', 'mean'),
  }),
});

export interface RandomContest {
  boards: RandomBoard[];
  invalidUsers: Set<string>;
  stays: Stays;
  /** Numbers that memberships may name. */
  teams: number[];
}

const TEAMS = 2;
/** On either side of the deadlines, and on none of them. */
const STAY_HOURS_AGO = [60, 20, 5];

/** By user: in which of the teams from each of these hours on; null: in none. */
const memberships: fc.Arbitrary<(number | null)[][]> = fc.oneof(
  fc.constant<(number | null)[][]>([]),
  fc.array(
    fc.array(fc.constantFrom(null, ...Array.from({ length: TEAMS }, (_, team) => team)), {
      minLength: STAY_HOURS_AGO.length,
      maxLength: STAY_HOURS_AGO.length,
    }),
    { minLength: USERS, maxLength: USERS },
  ),
);

/** Numbers that no other contest of this process has. */
let nextId = 1_000_000;

export function randomContest(boards: number): fc.Arbitrary<RandomContest> {
  return fc
    .record({
      drafts: fc.array(board, { minLength: boards, maxLength: boards, size: 'max' }),
      invalid: fc.option(fc.nat(USERS - 1)),
      memberships,
    })
    .map(({ drafts, invalid, memberships }) => {
      const teams = Array.from({ length: TEAMS }, () => nextId++);
      const users = Array.from({ length: USERS }, () => `${nextId++}`);
      const made = drafts.map((draft): RandomBoard => {
        const id = nextId++;
        return {
          ...draft,
          id,
          name: `random-${id}`,
          submissions: draft.submissions.map(({ userIndex, ...rest }) => ({
            ...rest,
            id: nextId++,
            user: users[userIndex] ?? '',
            measured: rest.measured.map((item) => ({ ...item, id: nextId++ })),
          })),
        };
      });
      addComposites(made, drafts);
      const stays: Stays = new Map(
        memberships.map((sequence, index) => [
          users[index] ?? '',
          sequence.map((team, i) => ({
            team: team === null ? null : (teams[team] ?? null),
            hoursAgo: STAY_HOURS_AGO[i] ?? 0,
          })),
        ]),
      );
      const invalidUsers = new Set(invalid === null ? [] : [users[invalid] ?? '']);
      return { boards: made, invalidUsers, stays, teams };
    });
}

function addComposites(boards: RandomBoard[], drafts: BoardDraft[]): void {
  for (const [index, board] of boards.entries()) {
    const { own, previous, combine } = drafts[index]?.composite ?? {
      own: null,
      previous: null,
      combine: 'geom',
    };
    const before = boards[index - 1];
    const composites: NonNullable<RankingRule['composites']> = [];
    if (own) {
      const members = GPUS.map((gpu, i) => ({ gpu, weight: own[i] ?? 0 }));
      composites.push({ name: 'all-gpus', combine, members });
    }
    if (previous && before && ascendingOf(before) === ascendingOf(board)) {
      const [a = 0, b = 0] = previous;
      const members = [
        { gpu: 'H100', weight: a },
        { leaderboard: before.name, gpu: 'H100', weight: b },
      ];
      composites.push({ name: 'both-boards', combine, members });
    }
    if (composites.length > 0) board.rule = { ...board.rule, composites };
  }
}

function ascendingOf(board: RandomBoard): boolean {
  if (board.rule.weights) return false;
  return board.rule.direction === undefined ? board.taskAscending : board.rule.direction === 'lower';
}

/** JSON has no word for these; PostgreSQL reads them as text. */
const asText = (value: number | null) => (value === null || Number.isFinite(value) ? value : String(value));

/** Without ranking anything: that is what the tests ask for. */
export async function writeContest(tx: Db, contest: RandomContest): Promise<void> {
  const { boards, invalidUsers } = contest;
  const all = boards.flatMap((board) => board.submissions.map((item) => ({ ...item, board: board.id })));
  const people = [...new Set([...all.map((item) => item.user), ...contest.stays.keys(), ...JUDGES])];
  await tx`
    insert into hotlap.users (id, name, invalidated_at)
    select p.id, 'user ' || p.id, case when p.invalid then now() end
    from jsonb_to_recordset(${tx.json(people.map((id) => ({ id, invalid: invalidUsers.has(id) })))}) p (id text, invalid boolean)
    on conflict (id) do nothing`;
  await tx`
    insert into hotlap.task_versions (content_hash, definition)
    select 'random ' || a, ${tx.json({ ...plainTask, benchmarks: Array.from({ length: SHAPES }, (_, i) => `n: ${i}`) })}::jsonb || jsonb_build_object('scoreAscending', a)
    from (values (true), (false)) v (a)
    on conflict (content_hash) do nothing`;
  await tx`insert into hotlap.code_blobs (sha256, content) values (${'0'.repeat(64)}, '') on conflict do nothing`;
  await tx`
    insert into hotlap.leaderboards (id, name, set_name, directory, deadline, task_version_id, score_ascending)
    overriding system value
    select b.id, b.name, 'random', 'random', now() + make_interval(hours => b.deadline), v.id, b.ascending
    from jsonb_to_recordset(${tx.json(
      boards.map((board) => ({
        id: board.id,
        name: board.name,
        deadline: board.deadlineHours,
        ascending: board.taskAscending,
      })),
    )}) b (id bigint, name text, deadline int, ascending boolean)
    join hotlap.task_versions v on v.content_hash = 'random ' || b.ascending`;
  await tx`
    insert into hotlap.leaderboard_gpus (leaderboard_id, gpu_type, position)
    select id, gpu, 0 from unnest(${boards.map((board) => board.id)}::bigint[]) id, unnest(${GPUS}::text[]) gpu`;
  await tx`
    insert into hotlap.submissions (id, user_id, leaderboard_id, task_version_id, code_sha256, file_name, mode, door, status,
      created_at, language, invalidated_at)
    overriding system value
    select s.id, s.user, s.board, l.task_version_id, ${'0'.repeat(64)}, 'a.py', 'leaderboard', 'api', 'done',
      timestamptz '2026-01-01' + make_interval(mins => s."createdMinute"), s.language, case when s.invalid then now() end
    from jsonb_to_recordset(${tx.json(
      all.map(({ id, user, board, createdMinute, language, invalid }) => ({
        id,
        user,
        board,
        createdMinute,
        language,
        invalid,
      })),
    )}) s (id bigint, "user" text, board bigint, "createdMinute" int, language text, invalid boolean)
    join hotlap.leaderboards l on l.id = s.board`;
  await tx`
    insert into hotlap.submission_scores (submission_id, gpu_type, public_score, secret_score, eligible)
    select s.submission, s.gpu, s."publicScore", s."secretScore", s.eligible
    from jsonb_to_recordset(${tx.json(
      all.flatMap((item) =>
        item.scores.map((score) => ({
          ...score,
          submission: item.id,
          publicScore: asText(score.publicScore),
          secretScore: asText(score.secretScore),
        })),
      ),
    )}) s (submission bigint, gpu text, "publicScore" float8, "secretScore" float8, eligible boolean)`;
  await tx`
    insert into hotlap.measurements (id, submission_id, leaderboard_id, user_id, gpu_type, secret, task_version_id, remeasure,
      passed, score, case_seconds, metrics, measured_at)
    overriding system value
    select m.id, s.id, s.leaderboard_id, s.user_id, m.gpu, m.secret, s.task_version_id, m.remeasure, m.passed, m.score,
      array(select t::float8 from jsonb_array_elements_text(m."caseSeconds") with ordinality c (t, i) order by i),
      m.metrics, now() - make_interval(hours => m."hoursAgo")
    from jsonb_to_recordset(${tx.json(
      all.flatMap((item) => item.measured.map((measurement) => ({ ...measurement, submission: item.id }))),
    )}) m (id bigint, submission bigint, gpu text, secret boolean, remeasure int, passed boolean, score float8,
      "caseSeconds" jsonb, metrics jsonb, "hoursAgo" int)
    join hotlap.submissions s on s.id = m.submission`;
  await tx`
    insert into hotlap.reviews (submission_id, scorer, judge_id, value, reason, superseded_at)
    select r.submission, r.scorer, r.judge, r.value, 'because', case when not r.live then now() end
    from jsonb_to_recordset(${tx.json(
      all.flatMap((item) => item.reviews.map((review) => ({ ...review, submission: item.id }))),
    )}) r (submission bigint, scorer text, judge text, value float8, live boolean)`;
  await writeTeams(tx, contest);
}

async function writeTeams(tx: Db, { stays, teams }: RandomContest): Promise<void> {
  const all = [...stays].flatMap(([user, sequence]) =>
    sequence.map((stay, i) => ({ user, ...stay, endedHoursAgo: sequence[i + 1]?.hoursAgo ?? null })),
  );
  await tx`
    insert into hotlap.teams (id, name, founder_id) overriding system value
    select id, 'team ' || id, ${JUDGES[0] ?? ''} from unnest(${teams}::bigint[]) id`;
  await tx`
    insert into hotlap.team_members (team_id, user_id, joined_at, left_at)
    select m.team, m.user, now() - make_interval(hours => m."hoursAgo"),
      coalesce(now() - make_interval(hours => m."endedHoursAgo"), 'infinity')
    from jsonb_to_recordset(${tx.json(all.filter((stay) => stay.team !== null))})
      m (team bigint, "user" text, "hoursAgo" int, "endedHoursAgo" int)`;
}
