/** Tells whoever streams a submission that it changed: one listening connection for all streams. */
import type { Sql } from '../db/client.ts';
import { listenProgress } from '../db/jobs.ts';

export class Progress {
  readonly #watchers = new Map<number, Set<() => void>>();
  #listener: { unlisten(): Promise<void> } | null = null;

  async start(sql: Sql): Promise<void> {
    this.#listener = await listenProgress(sql, (id) => {
      for (const watcher of this.#watchers.get(id) ?? []) watcher();
    });
  }

  /** Returns how to stop. Changes may be missed while the database is away, so streams look by themselves as well. */
  watch(submissionId: number, changed: () => void): () => void {
    const watchers = this.#watchers.get(submissionId) ?? new Set();
    this.#watchers.set(submissionId, watchers);
    watchers.add(changed);
    return () => {
      watchers.delete(changed);
      if (watchers.size === 0) this.#watchers.delete(submissionId);
    };
  }

  async stop(): Promise<void> {
    await this.#listener?.unlisten().catch(() => {});
  }
}
