/** One message that is edited while something goes on, as often as Discord allows. */
import type { APIEmbed, ChatInputCommandInteraction, MessageComponentInteraction } from 'discord.js';

export type LiveInteraction = ChatInputCommandInteraction | MessageComponentInteraction;

/** Discord allows about five edits in five seconds. */
const EDIT_EVERY_MS = 1100;

export class LiveMessage {
  readonly #interaction: LiveInteraction;
  #latest: APIEmbed | null = null;
  #timer: NodeJS.Timeout | null = null;
  #editing: Promise<unknown> = Promise.resolve();
  #isFirst = true;

  constructor(interaction: LiveInteraction) {
    this.#interaction = interaction;
  }

  /** Shown soon, unless something newer comes before. Only the last word must get through. */
  show(embed: APIEmbed): void {
    this.#latest = embed;
    this.#timer ??= setTimeout(
      () => {
        this.#timer = null;
        this.#edit().catch(() => {});
      },
      this.#isFirst ? 0 : EDIT_EVERY_MS,
    );
    this.#isFirst = false;
  }

  /** The last word; throws when Discord does not take it. */
  async end(embed: APIEmbed): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#latest = embed;
    await this.#edit();
  }

  #edit(): Promise<unknown> {
    const embeds = this.#latest ? [this.#latest] : [];
    const edit = () => this.#interaction.editReply({ embeds, components: [] });
    // One after the other, so that an older state never overwrites a newer one.
    this.#editing = this.#editing.catch(() => {}).then(edit);
    return this.#editing;
  }
}
