/** The first three of a GPU type, and when they are news. */

export interface PodiumPlace {
  userId: string;
  userName: string;
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

/** Whether the same people stand on the same places. A better score that moves nobody is no news. */
export function samePlaces(a: PodiumPlace[], b: PodiumPlace[]): boolean {
  const places = (podium: PodiumPlace[]) => podium.map(({ userId, rank }) => `${rank} ${userId}`).join();
  return places(a) === places(b);
}

export const podiumTargets = ['thread', 'channel', 'off'] as const;
/** Where a new podium is announced: the board's thread, the channel for announcements, or nowhere. */
export type PodiumTarget = (typeof podiumTargets)[number];
