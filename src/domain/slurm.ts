/** How jobs are handed to a Slurm cluster: one box is one way of asking for its nodes, so one GPU type. */
import { z } from 'zod';

/** A name as Slurm has them; a comma would make two of one. */
const name = z
  .string()
  .max(100)
  .regex(/^[A-Za-z0-9_][\w.@+-]*$/);

export const slurmOptions = z.strictObject({
  /** Null: the cluster's default. */
  partition: name.nullable(),
  account: name.nullable(),
  qos: name.nullable(),
  /** `gpu:h100` or `gpu:h100:2`; the number is the job's own where none is given. Null: no GPU is asked for. */
  gres: z
    .string()
    .max(200)
    .regex(/^[A-Za-z0-9_.:,-]+$/)
    .nullable(),
  /** Further options of sbatch, one argument each: `--constraint=a100`. */
  options: z.array(z.string().max(200)).max(20),
  /** The folder that login and compute nodes share, if it is not below the home. */
  root: z.string().nullable(),
});
export type SlurmOptions = z.infer<typeof slurmOptions>;

/** How many jobs are handed to a cluster at once where nobody says so: how many of them run is its own business. */
export const SLURM_SLOTS = 16;

/** What Hotlap says itself, or could not follow a job under. */
const reserved =
  /^--(array|chdir|clusters?|error|export|export-file|help|hold|input|job-name|ntasks|nodes|open-mode|output|parsable|requeue|test-only|time|usage|version|wait|wrap)(=|$)/;

/**
 * `--constraint=a100 --mem=64G` -> one argument each, all in the form `--name=value`. Returns what is wrong, in words for
 * the organiser, where one is none of that form or is Hotlap's own.
 */
export function parseSbatchOptions(
  text: string,
): { options: string[]; problem: null } | { options: null; problem: string } {
  const options = text.split(/\s+/).filter((word) => word !== '');
  for (const option of options) {
    if (!/^--[a-z][a-z-]*(=[^\s]+)?$/.test(option))
      return { options: null, problem: `${option} is not of the form --name=value` };
    if (reserved.test(option))
      return { options: null, problem: `${option} is for Hotlap to set, or hides the job from it` };
  }
  return { options, problem: null };
}
