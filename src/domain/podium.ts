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

/**
 * Whether the same ones stand there: a team, whichever of its members made the entry, or somebody alone. Who has founded,
 * joined or left a team meanwhile is still there with their own entry.
 */
export function isSameHolder(a: PodiumPlace, b: PodiumPlace): boolean {
  if (a.teamId && b.teamId) return a.teamId === b.teamId;
  return a.userId === b.userId;
}

/** Where a holder stands on a podium. Of a team that lost a member who stands there alone, the team. */
export function findHolder(podium: PodiumPlace[], wanted: PodiumPlace): PodiumPlace | undefined {
  const teamOf = ({ teamId }: PodiumPlace) => teamId ?? null;
  return (
    podium.find((place) => teamOf(place) === teamOf(wanted) && isSameHolder(place, wanted)) ??
    podium.find((place) => isSameHolder(place, wanted))
  );
}

/** Whether the same people stand on the same places. A better score that moves nobody is no news. */
export function samePlaces(a: PodiumPlace[], b: PodiumPlace[]): boolean {
  return (
    a.length === b.length &&
    a.every((place, index) => {
      const other = b[index];
      return other !== undefined && place.rank === other.rank && isSameHolder(place, other);
    })
  );
}

export const podiumTargets = ['thread', 'channel', 'off'] as const;
/** Where a new podium is announced: the board's thread, the channel for announcements, or nowhere. */
export type PodiumTarget = (typeof podiumTargets)[number];
