/** What a job that serves a model is doing, in words. */

const words = new Map<string, string>([
  ['reference', 'the pristine engine answers secret prompts'],
  ['installing', 'installing the archive'],
  ['starting', 'starting the server'],
  ['gate', 'at the gate'],
  ['auditing', 'the pristine engine reads the answers'],
  ['cleanup', 'cleaning up'],
]);

/** Null for a state that is not a phase of its own. */
export function phaseWords(state: string): string | null {
  return words.get(state) ?? null;
}
