/** One message that shows what is found while it is found. */
import type { Finding } from '../../src/domain/box-health.ts';
import { findingsEmbed } from '../../src/reports/box-embed.ts';
import { type LiveInteraction, LiveMessage } from './live-message.ts';

export class LiveFindings {
  readonly findings: Finding[] = [];
  readonly #message: LiveMessage;
  readonly #title: string;

  constructor(interaction: LiveInteraction, title: string) {
    this.#message = new LiveMessage(interaction);
    this.#title = title;
  }

  add(finding: Finding): void {
    this.findings.push(finding);
    this.#message.show(findingsEmbed(this.#title, this.findings, { state: 'looking' }));
  }

  /** The last word; throws when Discord does not take it. */
  async end(title: string, state: 'good' | 'bad', text: string): Promise<void> {
    await this.#message.end(findingsEmbed(title, this.findings, { state, text }));
  }
}
