/** One message that shows what is found while it is found. */
import type { ChatInputCommandInteraction, MessageComponentInteraction } from 'discord.js';
import type { Finding } from '../../src/domain/box-health.ts';
import { findingsEmbed } from '../../src/reports/box-embed.ts';

type Interaction = ChatInputCommandInteraction | MessageComponentInteraction;

/** Discord allows about five edits in five seconds. */
const EDIT_EVERY_MS = 1100;

export class LiveFindings {
  readonly findings: Finding[] = [];
  readonly #interaction: Interaction;
  readonly #title: string;
  #timer: NodeJS.Timeout | null = null;
  #editing: Promise<unknown> = Promise.resolve();

  constructor(interaction: ChatInputCommandInteraction | MessageComponentInteraction, title: string) {
    this.#interaction = interaction;
    this.#title = title;
  }

  add(finding: Finding): void {
    this.findings.push(finding);
    this.#timer ??= setTimeout(
      () => {
        this.#timer = null;
        this.#show(this.#title, { state: 'looking' });
      },
      this.findings.length === 1 ? 0 : EDIT_EVERY_MS,
    );
  }

  /** The last word; throws when Discord does not take it. */
  async end(title: string, state: 'good' | 'bad', text: string): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#show(title, { state, text });
    await this.#editing;
  }

  #show(title: string, end: Parameters<typeof findingsEmbed>[2]): void {
    const embeds = [findingsEmbed(title, this.findings, end)];
    const edit = () => this.#interaction.editReply({ embeds, components: [] });
    // One after the other, so that an older state never overwrites a newer one. Only the last must get through.
    this.#editing = this.#editing.catch(() => {}).then(edit);
    if (end.state === 'looking') this.#editing.catch(() => {});
  }
}
