/** Faults of a problem's Python files that show without running them: what does not compile, what was not listed. */
import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Finding } from './finding.ts';
import type { ProblemFiles } from './problem-files.ts';

interface Look {
  error: [number, string] | null;
  imports: [number, string][];
}

interface Answer {
  version: string;
  looks: Record<string, Look>;
}

const PROGRAM = fileURLToPath(new URL('look-at-python.py', import.meta.url));
const TIMEOUT_MS = 60_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** All problems at once: an interpreter takes a while to start. Without `python3` there is one warning. */
export async function lintPython(root: string, problems: ProblemFiles[]): Promise<Finding[]> {
  const texts = new Map<string, string>();
  for (const { files } of problems) {
    for (const file of files) if (file.path.endsWith('.py')) texts.set(file.path, file.text);
  }
  if (texts.size === 0) return [];
  const answer = await lookAt(Object.fromEntries(texts));
  if (answer === null) {
    const message = 'the Python files were not looked at: python3 does not run here';
    const next = 'Install Python 3.9 or newer; running a submission needs it too.';
    return [{ level: 'warning', file: problems[0]?.taskFile ?? '', line: null, message, next }];
  }
  const { looks, version } = answer;
  const findings: Finding[] = [];
  for (const problem of problems) {
    const listed = new Set(problem.files.map((file) => file.name));
    for (const file of problem.files) {
      const look = looks[file.path];
      if (look?.error) {
        const [line, message] = look.error;
        const text = `not valid Python ${version}: ${message}`;
        const own = file.name !== null;
        findings.push({
          level: own ? 'fault' : 'warning',
          file: file.path,
          line,
          message: text,
          next: own ? 'Mend it: every run would end here.' : 'Mend it: participants start from this file.',
        });
      }
      // What a template imports is its reader's business.
      if (file.name === null) continue;
      for (const [line, module] of look?.imports ?? []) {
        const missing = await unlisted(root, problem, file.path, module, listed);
        if (missing === null) continue;
        findings.push({
          level: 'warning',
          file: file.path,
          line,
          message: `${module} is imported, and ${missing} is not one of the files of ${problem.taskFile}`,
          next: `Add {name: "${module}.py", source: ...} to its files: only what is listed is there in a run.`,
        });
      }
    }
  }
  return findings;
}

/** The file beside the problem's own that a run would miss, or null. */
async function unlisted(
  root: string,
  problem: ProblemFiles,
  path: string,
  module: string,
  listed: Set<string | null>,
): Promise<string | null> {
  const name = `${module}.py`;
  if (listed.has(name) || listed.has(`${module}/__init__.py`) || name === problem.submissionFile) return null;
  for (const folder of new Set([dirname(path), dirname(problem.taskFile)])) {
    const candidate = join(folder, name);
    const there = await access(join(root, candidate)).then(
      () => true,
      () => false,
    );
    if (there) return candidate;
  }
  return null;
}

async function lookAt(texts: Record<string, string>): Promise<Answer | null> {
  const started = promisify(execFile)('python3', ['-I', PROGRAM], {
    timeout: TIMEOUT_MS,
    maxBuffer: MAX_ANSWER_BYTES,
  });
  // A program that cannot be started does not read.
  started.child.stdin?.on('error', () => {});
  started.child.stdin?.end(JSON.stringify(texts));
  try {
    return JSON.parse((await started).stdout) as Answer;
  } catch {
    return null;
  }
}
