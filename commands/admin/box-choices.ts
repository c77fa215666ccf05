/** Suggestions for organisers who name a box, a GPU type that boxes serve, or a problem by its leaderboard. */
import { listBoxes } from '../../src/db/boxes.ts';
import { listLeaderboards } from '../../src/db/leaderboards.ts';
import type { Choice, ReadContext } from '../../src/discord/command.ts';
import { boardChoices } from '../../src/discord/leaderboard-choices.ts';

export async function completeBox({ sql }: ReadContext, typed: string): Promise<Choice[]> {
  return (await listBoxes(sql))
    .filter((box) => box.name.toLowerCase().includes(typed.toLowerCase()))
    .map((box) => ({ name: `${box.name} (${box.gpuTypes.join(', ')})`, value: box.name }));
}

export async function completeServedGpu({ sql }: ReadContext, typed: string): Promise<Choice[]> {
  const types = (await listBoxes(sql)).flatMap((box) => box.gpuTypes);
  return [...new Set(types)]
    .filter((type) => type.toLowerCase().includes(typed.toLowerCase()))
    .sort()
    .map((type) => ({ name: type, value: type }));
}

export async function completeProblem({ sql }: ReadContext, typed: string): Promise<Choice[]> {
  return boardChoices(await listLeaderboards(sql), typed);
}
