import type { APIEmbed, APIEmbedField } from 'discord-api-types/v10';
import type { PlayState } from '../play-protocol.ts';
import { localAddress } from './attachment-view.ts';
import { h } from './dom.ts';
import { markdown } from './markdown.ts';
import { messageTime } from './moments.ts';

/** An embed. Titles and fields are slotted as our own elements, since Discord renders markdown in them too. */
export function embedView(embed: APIEmbed, names: PlayState): HTMLElement {
  const { title, url, description, fields = [], footer, timestamp, author, color } = embed;
  const rendered = (text: string) => markdown(text, names);
  const element = h('discord-embed', {
    slot: 'embeds',
    color: color === undefined ? undefined : `#${color.toString(16).padStart(6, '0')}`,
    'author-name': author?.name,
    'author-url': author?.url,
    'author-image': author?.icon_url,
    image: embed.image && localAddress(embed.image.url),
    thumbnail: embed.thumbnail && localAddress(embed.thumbnail.url),
  });
  if (title !== undefined) {
    const inside = rendered(title);
    const linked =
      url === undefined
        ? inside
        : [h('a', { href: url, target: '_blank', rel: 'noopener noreferrer' }, ...inside)];
    element.append(h('div', { slot: 'description', class: 'embed-title md' }, ...linked));
  }
  if (description !== undefined) {
    const inside = h('div', { class: 'md' }, ...rendered(description));
    element.append(h('discord-embed-description', { slot: 'description' }, inside));
  }
  if (fields.length > 0) element.append(fieldGrid(fields, rendered));
  const when = timestamp === undefined ? undefined : messageTime(timestamp);
  if (footer !== undefined || when !== undefined) {
    const text = footer?.text ?? '';
    const attributes = { slot: 'footer', 'footer-image': footer?.icon_url };
    // The time is set beside the text here: the component would read it as a date of another form.
    const parts = [text, when].filter((part) => part !== undefined && part !== '');
    element.append(
      h('discord-embed-footer', attributes, h('span', { class: 'embed-footer' }, parts.join(' • '))),
    );
  }
  return element;
}

// Inline fields stand up to three in a row; a row of two shares the width.
function fieldGrid(fields: APIEmbedField[], rendered: (text: string) => Node[]): HTMLElement {
  const grid = h('div', { slot: 'fields', class: 'embed-fields' });
  const rows: APIEmbedField[][] = [];
  for (const field of fields) {
    const last = rows.at(-1);
    if (field.inline && last?.[0]?.inline && last.length < 3) last.push(field);
    else rows.push([field]);
  }
  for (const row of rows) {
    for (const { name, value, inline } of row) {
      const width = inline ? 12 / Math.max(row.length, 2) : 12;
      const cell = h(
        'div',
        { class: inline ? 'embed-field embed-field-inline' : 'embed-field' },
        h('div', { class: 'embed-field-name md' }, ...rendered(name)),
        h('div', { class: 'embed-field-value md' }, ...rendered(value)),
      );
      cell.style.setProperty('--span', String(width));
      grid.append(cell);
    }
  }
  return grid;
}
