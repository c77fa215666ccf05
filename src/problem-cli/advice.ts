/** What to do about a fault of the catalog, by the key that it is about: the catalog says what was expected there. */

const CASES =
  'A case is a map such as {size: 128, seed: 5}. Its keys are letters, digits and _; they reach the harness in this order.';
const TIMEOUT = 'Write whole seconds, such as 180, without quotes.';
const GPUS = 'Write a list such as ["H100"], in the set file or in task.yml; "CPU" is a box without a GPU.';

const byKey: Record<string, string> = {
  lang: 'It says what participants write: "py" for Python, "cu" for CUDA C++.',
  description: 'Write the statement as a block: "description: |" and the text below it, indented.',
  files:
    'List every file of a run as {name: ..., source: ...}. The source is relative to the folder of task.yml, may use ../, and stays inside the problems folder; it is "@SUBMISSION@" for exactly one of them.',
  config:
    'Write config: {main: eval.py}, where eval.py is the name of one of the files; with lang: "cu" write {sources: [eval.cu, submission.cu]}.',
  templates: 'Write templates: {Python: template.py}; the path is relative to the folder of task.yml.',
  tests: CASES,
  benchmarks: CASES,
  ranking_by: 'geom is the geometric mean of all benchmarks, mean the mean, last the last one alone.',
  test_timeout: TIMEOUT,
  benchmark_timeout: TIMEOUT,
  ranked_timeout: TIMEOUT,
  multi_gpu: 'Write true or false. With true, every case needs world_size, the number of GPUs.',
  gpus: GPUS,
  score_ascending: 'Write true (lower is better) or false (higher is better).',
  problems:
    'List each problem as {directory: ..., name: ..., deadline: ..., gpus: [...]}; the directory is relative to the folder of the set file.',
  directory:
    'It is relative to the folder of the set file, such as starter/window_sums, and holds a task.yml.',
  deadline: 'Write "YYYY-MM-DD" or "YYYY-MM-DD HH:MM" in quotes, in UTC, or "" for none.',
  name: 'It is the name of the leaderboard, and each name stands once in all sets.',
};

/** Empty where the message itself says it all. */
export function adviceFor(file: string, message: string): string {
  if (/^not valid YAML/.test(message)) {
    return 'Look at this line and the one above: an open quote or bracket, a missing blank after a colon, a tab, an indentation that does not fit.';
  }
  if (/^unknown key/.test(message)) {
    return 'It has no effect here. Look for a misspelling, or remove it if it belongs to another system.';
  }
  if (/task\.yml$/.test(file) && /the file is not there/.test(message)) {
    return 'Make it, or correct `directory` in the set file: it is relative to the folder of the set file.';
  }
  if (/^the name /.test(message)) return byKey.name ?? '';
  const keys = (/^([A-Za-z_][\w.]*):/.exec(message)?.[1] ?? '').split('.').reverse();
  for (const key of keys) {
    const advice = Object.hasOwn(byKey, key) ? byKey[key] : undefined;
    if (advice !== undefined) return advice;
  }
  return '';
}
