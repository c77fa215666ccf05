import { ActionRowBuilder, ButtonBuilder, ButtonStyle } from 'discord.js';

/** Back and forward, or no row at all where one page holds everything. Pages count from 0. */
export function pageButtons(
  page: number,
  lastPage: number,
  customId: (page: number) => string,
): ActionRowBuilder<ButtonBuilder>[] {
  if (lastPage === 0) return [];
  const button = (label: string, to: number) =>
    new ButtonBuilder()
      // The two ids must differ even where both buttons are off.
      .setCustomId(customId(to))
      .setLabel(label)
      .setStyle(ButtonStyle.Secondary)
      .setDisabled(to < 0 || to > lastPage);
  return [
    new ActionRowBuilder<ButtonBuilder>().addComponents(button('Back', page - 1), button('Next', page + 1)),
  ];
}
