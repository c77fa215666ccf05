/** The first three of a GPU type, and when they are news. */

export interface PodiumPlace {
  userId: string;
  userName: string;
  /** The one that it counts for; null or left out: its owner's own. */
  teamId?: number | null;
  teamName?: string | null;
  submissionId: number;
  /** From 1; ties share it. */
  rank: number;
  /** Null where it is its owner's alone. */
  score: number | null;
  provisional: boolean;
}

export interface PodiumChange {
  gpuType: string;
  before: PodiumPlace[];
  after: PodiumPlace[];
}

/** Who stands there: a team, whichever of its members made the entry, or somebody alone. */
export function holderOf({ teamId, userId }: PodiumPlace): string {
  return teamId ? `team ${teamId}` : userId;
}

/** Whether the same people stand on the same places. A better score that moves nobody is no news. */
export function samePlaces(a: PodiumPlace[], b: PodiumPlace[]): boolean {
  const places = (podium: PodiumPlace[]) => podium.map((place) => `${place.rank} ${holderOf(place)}`).join();
  return places(a) === places(b);
}

export const podiumTargets = ['thread', 'channel', 'off'] as const;
/** Where a new podium is announced: the board's thread, the channel for announcements, or nowhere. */
export type PodiumTarget = (typeof podiumTargets)[number];
