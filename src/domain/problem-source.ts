/** Where problems come from: what is asked for, and what a board remembers of it. */
import { z } from 'zod';

/** What somebody wants to read problems from. */
export type ProblemSource =
  | { kind: 'directory'; path: string }
  | {
      kind: 'git';
      /** https://, ssh://, git@host:path or file:// */
      url: string;
      /** A branch or a tag; null: the repository's own default. */
      branch: string | null;
      /** The folder with the set files; null: found by itself. */
      folder: string | null;
    }
  | { kind: 'archive'; name: string; bytes: Uint8Array };

/** Kept with a board: where its problem came from when it was last read. */
export const originSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('directory') }),
  z.object({
    kind: z.literal('git'),
    url: z.string(),
    branch: z.string().nullable(),
    folder: z.string().nullable(),
    commit: z.string(),
  }),
  z.object({ kind: z.literal('archive'), name: z.string(), sha256: z.string() }),
]);
export type Origin = z.infer<typeof originSchema>;

/** The commit that was read, for people. */
export interface Commit {
  hash: string;
  subject: string;
  committedAt: Date;
}

/** Without the parts that change with every reading of the same place. */
export function originText(origin: Origin): string {
  switch (origin.kind) {
    case 'directory':
      return 'the problems folder';
    case 'archive':
      return `the archive ${origin.name}`;
    case 'git': {
      const branch = origin.branch === null ? '' : `, branch ${origin.branch}`;
      const folder = origin.folder === null ? '' : `, folder ${origin.folder}`;
      return `${origin.url}${branch}${folder}`;
    }
  }
}
