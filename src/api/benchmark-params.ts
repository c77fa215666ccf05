/** What the benchmarks of a task run on, as objects: `size: 128; seed: 5` is {"size": 128, "seed": 5}. */
import type { Task } from '../domain/task.ts';

export type Params = Record<string, string | number>;

export function caseParams(line: string): Params {
  const pairs = line.split('; ').map((pair): [string, string | number] => {
    const at = pair.indexOf(': ');
    const [key, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 2)];
    return [key, /^-?\d{1,15}$/.test(value) ? Number(value) : value];
  });
  return Object.fromEntries(pairs);
}

/** Of each benchmark, in order; of a model that is served, the shapes that requests come in. */
export function benchmarkParams(task: Task): Params[] {
  return task.serving ? servingParams(task.serving) : task.benchmarks.map(caseParams);
}

/** In the words of task.yml. */
export function servingParams(serving: NonNullable<Task['serving']>) {
  return serving.shapes.map((shape) => ({
    num_prompts: shape.numPrompts,
    input_len: shape.inputLen,
    output_len: shape.outputLen,
  }));
}
