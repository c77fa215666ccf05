import type { PlayCommand } from '../play-protocol.ts';

/**
 * The commands that fit what is typed after the slash (lower case, trimmed), best first: the very command, then those
 * that begin so with the shortest name first, then those with a later word that begins so, then any that contain it.
 * Equals keep their order, and so do all when nothing is typed.
 */
export function rankCommands(commands: PlayCommand[], typed: string): PlayCommand[] {
  if (typed === '') return commands;
  return commands
    .map((command) => ({ command, rank: rankOf(command.path, typed) }))
    .filter(({ rank }) => rank !== undefined)
    .sort((a, b) => compare(a.rank ?? [], b.rank ?? []))
    .map(({ command }) => command);
}

function rankOf(path: string[], typed: string): [group: number, nameLength: number] | undefined {
  const whole = path.join(' ');
  const nameLength = path[0]?.length ?? 0;
  if (whole === typed || path[0] === typed) return [0, nameLength];
  if (whole.startsWith(typed)) return [1, nameLength];
  if (path.some((word) => word.startsWith(typed))) return [2, nameLength];
  return whole.includes(typed) ? [3, nameLength] : undefined;
}

function compare(a: number[], b: number[]): number {
  const at = a.findIndex((part, index) => part !== b[index]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}
