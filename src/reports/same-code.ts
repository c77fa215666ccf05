/** Who else sent the same bytes: a line for organisers. */
import { cut, plain } from './markdown.ts';

const MAX_CHARS = 1500;

/** Empty where nobody did. */
export function sameCodeLine(same: {
  items: { id: number; userName: string; leaderboard: string | null }[];
  total: number;
}): string {
  if (same.total === 0) return '';
  const named = same.items.map(
    ({ id, userName, leaderboard }) => `#${id} (${plain(userName)}, ${plain(leaderboard ?? 'no board')})`,
  );
  const more = same.total - same.items.length;
  return cut(`🔗 Same code as ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}.`, MAX_CHARS);
}
