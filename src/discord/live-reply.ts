/**
 * Keeps the replies to `/submit` up to date while their submissions wait and run.
 *
 * PostgreSQL announces each change; a reply is edited with what the database says then, at most once in a while, and
 * never for a submission that has ended: its last edit is the outbox's (delivery.ts). Replies of queued submissions
 * are looked at again every few seconds, because a place in the queue changes without an event of its own; the queue
 * is read once for all of them.
 */
import { type Client, DiscordAPIError } from 'discord.js';
import type { Sql } from '../db/client.ts';
import { loadQueue } from '../db/queue.ts';
import { expireReplyTarget, findReplyTarget, findSubmissionView } from '../db/submissions.ts';
import { forecast, type Place } from '../domain/eta.ts';
import { type SubmissionView, withPlaces } from '../domain/submission.ts';
import type { Log } from '../log.ts';
import { submissionEmbed } from '../reports/submission-embed.ts';
import { editInteractionReply } from './reply.ts';
import { cancelButton } from './submission-buttons.ts';

/** Discord allows about 5 edits in 5 s per channel. */
const EDIT_INTERVAL_MS = 1500;
const QUEUE_REFRESH_MS = 5000;
const QUEUE_MAX_AGE_MS = 2000;

export class LiveReplies {
  readonly #client: Client<true>;
  readonly #sql: Sql;
  readonly #log: Log;
  readonly #due = new Map<number, { at: number; timer: NodeJS.Timeout }>();
  /** What each reply showed last, so that nothing is edited for nothing. */
  readonly #shown = new Map<number, string>();
  #places: { at: number; places: Promise<Map<number, Place>> } | null = null;
  #stopped = false;

  constructor(client: Client<true>, sql: Sql, log: Log) {
    this.#client = client;
    this.#sql = sql;
    this.#log = log;
  }

  /** The submission changed: its reply is edited soon. */
  refresh(submissionId: number, delayMs = EDIT_INTERVAL_MS): void {
    if (this.#stopped) return;
    const at = Date.now() + delayMs;
    const due = this.#due.get(submissionId);
    // The earlier look stands: a stream of changes must not push it away for ever.
    if (due && due.at <= at) return;
    clearTimeout(due?.timer);
    const timer = setTimeout(() => {
      this.#due.delete(submissionId);
      void this.#edit(submissionId).catch((error: unknown) => this.#afterFailure(submissionId, error));
    }, delayMs);
    this.#due.set(submissionId, { at, timer });
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#due.values()) clearTimeout(timer);
    this.#due.clear();
  }

  async #afterFailure(submissionId: number, error: unknown): Promise<void> {
    if (error instanceof DiscordAPIError && error.status === 404) {
      // Another life's message, or one that its user has dismissed: the result will take another way.
      await expireReplyTarget(this.#sql, submissionId).catch(() => {});
      return;
    }
    this.#log.warn({ error, submissionId }, 'live reply not edited: tried again soon');
    this.refresh(submissionId, QUEUE_REFRESH_MS);
  }

  async #edit(submissionId: number): Promise<void> {
    const target = await findReplyTarget(this.#sql, submissionId);
    let view = target?.alive ? await findSubmissionView(this.#sql, submissionId, true) : null;
    if (view && isOpen(view) && someQueued(view)) {
      const places = await this.#queuePlaces();
      // Looked at anew: were it cancelled meanwhile, this edit would come after the one with its result.
      view = await findSubmissionView(this.#sql, submissionId, true);
      view &&= withPlaces(view, places);
    }
    if (!target || !view || !isOpen(view)) {
      this.#shown.delete(submissionId);
      return;
    }
    const embed = submissionEmbed(view);
    const text = JSON.stringify(embed);
    if (this.#shown.get(submissionId) !== text) {
      const body = { embeds: [embed], components: [cancelButton(submissionId)] };
      await editInteractionReply(this.#client, target.interactionToken, body);
      this.#shown.set(submissionId, text);
    }
    if (someQueued(view)) this.refresh(submissionId, QUEUE_REFRESH_MS);
  }

  #queuePlaces(): Promise<Map<number, Place>> {
    const now = Date.now();
    if (!this.#places || now - this.#places.at > QUEUE_MAX_AGE_MS) {
      this.#places = { at: now, places: loadQueue(this.#sql).then(forecast) };
    }
    return this.#places.places;
  }
}

function isOpen(view: SubmissionView): boolean {
  return ['queued', 'running'].includes(view.status);
}

function someQueued(view: SubmissionView): boolean {
  return view.gpus.some((gpu) => gpu.publicJob.status === 'queued' || gpu.secretJob?.status === 'queued');
}
