/** A ranked submission of alice whose secrets can be recognised wherever they come out. */
import { randomBytes } from 'node:crypto';
import type { ApiStage } from './api-stage.ts';
import { cliUpload } from './api-stage.ts';

export type SecretKind = 'seed' | 'secret score' | 'secret output' | 'code';

export interface PlantedSecrets {
  submissionId: number;
  userId: string;
  /** Which of them a text holds. */
  foundIn(text: string): SecretKind[];
}

/** Written as the product would have stored it; nothing has to run. */
export async function plantSecrets(stage: ApiStage): Promise<PlantedSecrets> {
  const { sql } = stage.running.app;
  const code = `taint-code-${randomBytes(8).toString('hex')}`;
  const output = `taint-output-${randomBytes(8).toString('hex')}`;
  const secretScore = 0.001 + randomBytes(4).readUInt32LE() / 2 ** 42;
  const answer = await stage.alice.call(
    'POST',
    '/submission/lab/CPU/leaderboard',
    cliUpload('mine.py', `# ${code}\ndef custom_kernel(data):\n    return data\n`),
  );
  const submissionId: number = answer.json().details.id;
  await sql.begin(async (tx) => {
    await tx`
      update hotlap.jobs set status = 'finished', passed = true, started_at = now(), finished_at = now(),
        score = case when secret then ${secretScore}::float8 else 0.5 end where submission_id = ${submissionId}`;
    await tx`
      insert into hotlap.runs (job_id, submission_id, gpu_type, secret, stage, mode, passed, score, started_at,
        finished_at, exit_code, result, stdout, stderr, system, sandbox, failure)
      select id, submission_id, gpu_type, secret, 'leaderboard', 'leaderboard', true, score, now(), now(), 0,
        case when secret then jsonb_build_array(jsonb_build_array('benchmark.0.spec', ${output}::text)) else '[]' end,
        case when secret then ${output}::text else 'public' end, case when secret then ${output}::text else '' end,
        '{"gpu": "", "device_count": 0, "cpu": "", "runtime": "", "platform": "", "torch": "", "hostname": ""}', 'bwrap',
        null
      from hotlap.jobs where submission_id = ${submissionId}`;
    await tx`
      update hotlap.submissions set status = 'done', finished_at = now() where id = ${submissionId}`;
    await tx`
      insert into hotlap.submission_scores (submission_id, gpu_type, public_score, secret_score, eligible)
      values (${submissionId}, 'CPU', 0.5, ${secretScore}, true)
      on conflict (submission_id, gpu_type) do update set public_score = excluded.public_score,
        secret_score = excluded.secret_score, eligible = true`;
    await tx`
      insert into hotlap.best_entries (leaderboard_id, gpu_type, user_id, submission_id, score, achieved_at)
      select leaderboard_id, gpu_type, user_id, submission_id, score, achieved_at
      from hotlap.eligible_entries where submission_id = ${submissionId}`;
    await tx`select hotlap.summarise_submission(${submissionId})`;
  });
  return recogniser(stage, submissionId, { code, output });
}

/** For a submission that has really run: its seed and secret score are read from the database. */
export async function recogniser(
  stage: ApiStage,
  submissionId: number,
  texts: { code: string; output: string },
): Promise<PlantedSecrets> {
  const { sql } = stage.running.app;
  const [row] = await sql<{ seed: number; secretScore: number; userId: string }[]>`
    select s.secret_seed as seed, sc.secret_score as "secretScore", s.user_id as "userId"
    from hotlap.submissions s join hotlap.submission_scores sc on sc.submission_id = s.id where s.id = ${submissionId}`;
  if (!row?.secretScore) throw new Error('the planted submission has no secret score');
  // Neither as part of a longer number, nor by so few digits that chance would do.
  const whole = new RegExp(`(?<![\\d.])${row.seed}(?![\\d.])`);
  const digits = String(row.secretScore)
    .replace(/^[0.]+/, '')
    .replace('.', '')
    .slice(0, 9);
  return {
    submissionId,
    userId: row.userId,
    foundIn(text) {
      const found: SecretKind[] = [];
      if (whole.test(text)) found.push('seed');
      if (text.replaceAll('.', '').includes(digits)) found.push('secret score');
      if (text.includes(texts.output)) found.push('secret output');
      if (text.includes(texts.code)) found.push('code');
      return found;
    },
  };
}
