/** What participants may ask to be told by direct message, and what such a notice is about. */

export const noticeKinds = ['finished', 'overtaken', 'deadline', 'quota'] as const;
export type NoticeKind = (typeof noticeKinds)[number];

export const noticeWords: Record<NoticeKind, { label: string; about: string }> = {
  finished: { label: 'Finished', about: 'A submission of yours has ended' },
  overtaken: { label: 'Overtaken', about: 'Somebody has passed you on a board' },
  deadline: { label: 'Deadline near', about: '24 hours and 1 hour before a board of yours ends' },
  quota: { label: 'Quota back', about: 'You may submit again after a limit was used up' },
};

export type Notice = { userId: string } & (
  | { notice: 'finished'; submissionId: number }
  | { notice: 'overtaken'; leaderboardId: number; gpuType: string }
  /** `deadline` in milliseconds since 1970; another one makes this notice void. */
  | { notice: 'deadline'; leaderboardId: number; deadlineMs: number; hours: 24 | 1 }
  | { notice: 'quota'; leaderboardId: number; category: 'test' | 'leaderboard' }
);
