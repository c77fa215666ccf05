/**
 * What makes two runs the same: the same code, judged by the same version of a task, in the same mode, on the same GPU
 * type, by the same runner. Seeds of public runs are part of the task. As one hash, so that a run whose answer is known
 * already can be found.
 */
import { canonicalHash } from './canonical-json.ts';
import type { Mode } from './submission.ts';

export interface RunConfiguration {
  /** SHA-256 of the submitted file, in hex. */
  codeSha256: string;
  /** Of the task version (task.ts). */
  taskHash: string;
  mode: Mode;
  /** In any case of its letters. */
  gpuType: string;
  /** SHA-256 of the runner that judges, in hex. */
  runnerHash: string;
}

/** SHA-256 in hex. The order of the keys means nothing. */
export function configurationHash(configuration: RunConfiguration): string {
  const { codeSha256, taskHash, mode, gpuType, runnerHash } = configuration;
  return canonicalHash({ codeSha256, taskHash, mode, gpuType: gpuType.toLowerCase(), runnerHash });
}

/** `3 min ago`: how old an answer is that comes from an earlier run. */
export function ageText(ageMs: number): string {
  const minutes = Math.floor(Math.max(0, ageMs) / 60_000);
  if (minutes < 1) return 'less than a minute ago';
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ago`;
  return `${Math.floor(hours / 24)} days ago`;
}
