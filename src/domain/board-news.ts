/** What the thread of a board tells: its state in a few words, so that two of them show what has changed. */
import type { RankingRule } from './ranking-rule.ts';

export type BoardNews =
  /** For invited people: told to nobody else, but for that. */
  | { visibility: 'closed' }
  | {
      visibility: 'public';
      stage: 'open' | 'closed' | 'archived';
      late: 'refused' | 'unofficial';
      ranking: RankingRule;
      taskVersionId: number;
      /** ISO 8601; null: none. */
      deadline: string | null;
      gpus: string[];
    };

/** What a channel is for that Discord does not let us use. */
export type ChannelPurpose = 'forum' | 'thread' | 'announcements';
