/**
 * Keeps the reply to `/submit` up to date while the submission waits and runs.
 *
 * PostgreSQL announces each change; the reply is edited with what the database says then, at most once in a while per
 * submission, and never for a submission that has ended: its last edit is the outbox's (delivery.ts).
 */
import type { Client } from 'discord.js';
import type { Sql } from '../db/client.ts';
import { findReplyTarget, findSubmissionView } from '../db/submissions.ts';
import type { Log } from '../log.ts';
import { submissionEmbed } from '../reports/submission-embed.ts';
import { editInteractionReply } from './reply.ts';

/** Discord allows about 5 edits in 5 s per channel. */
const EDIT_INTERVAL_MS = 1500;
/** A queued submission's position changes without an event of its own. */
const QUEUE_REFRESH_MS = 5000;

export class LiveReplies {
  readonly #client: Client<true>;
  readonly #sql: Sql;
  readonly #log: Log;
  readonly #timers = new Map<number, NodeJS.Timeout>();
  readonly #shown = new Map<number, string>();
  #stopped = false;

  constructor(client: Client<true>, sql: Sql, log: Log) {
    this.#client = client;
    this.#sql = sql;
    this.#log = log;
  }

  /** The submission changed: its reply is edited soon. */
  refresh(submissionId: number, delayMs = EDIT_INTERVAL_MS): void {
    if (this.#stopped || this.#timers.has(submissionId)) return;
    const timer = setTimeout(() => {
      void this.#edit(submissionId).catch((error: unknown) => {
        this.#log.warn({ error, submissionId }, 'live reply not edited');
        this.#timers.delete(submissionId);
      });
    }, delayMs);
    this.#timers.set(submissionId, timer);
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  async #edit(submissionId: number): Promise<void> {
    const target = await findReplyTarget(this.#sql, submissionId);
    const view = target?.alive ? await findSubmissionView(this.#sql, submissionId, true) : null;
    const open = view && ['queued', 'running'].includes(view.status);
    if (!target || !open) {
      this.#timers.delete(submissionId);
      this.#shown.delete(submissionId);
      return;
    }
    const embed = submissionEmbed(view);
    const text = JSON.stringify(embed);
    if (this.#shown.get(submissionId) !== text) {
      await editInteractionReply(this.#client, target.interactionToken, { embeds: [embed] });
      this.#shown.set(submissionId, text);
    }
    this.#timers.delete(submissionId);
    if (view.gpus.some((gpu) => gpu.publicJob.status === 'queued' || gpu.secretJob?.status === 'queued')) {
      this.refresh(submissionId, QUEUE_REFRESH_MS);
    }
  }
}
