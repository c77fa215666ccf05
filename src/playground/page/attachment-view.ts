import type { APIAttachment } from 'discord-api-types/v10';
import { h, icon } from './dom.ts';

const previewBytes = 64 * 1024;
const previewLines = 6;
// Text does not change under its address, and a message is drawn anew at every edit.
const previews = new Map<string, Promise<string>>();
const expanded = new Set<string>();

/** A picture inline, a text file with its first lines, anything else as a card; all of them to download. */
export function attachmentView(attachment: APIAttachment): HTMLElement {
  const type = attachment.content_type ?? '';
  if (type.startsWith('image/') && !type.includes('svg')) return picture(attachment);
  if (type.includes('charset=utf-8') && attachment.size <= previewBytes) return textFile(attachment);
  const [amount, unit] = sizeOf(attachment.size).split(' ');
  return h('discord-file-attachment', {
    name: attachment.filename,
    bytes: amount,
    'bytes-unit': unit,
    href: localAddress(attachment.url),
    target: '_blank',
  });
}

/** A file's address as seen from this page: the bot may know the server by another name than the one opened here. */
export function localAddress(address: string): string {
  const url = new URL(address, location.origin);
  return /^\/(ephemeral-)?attachments\//.test(url.pathname) ? url.pathname + url.search : address;
}

export function sizeOf(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

function picture(attachment: APIAttachment): HTMLElement {
  const image = h('img', {
    class: 'picture',
    src: localAddress(attachment.url),
    alt: attachment.description ?? attachment.filename,
    width: attachment.width ?? undefined,
    height: attachment.height ?? undefined,
  });
  return h('a', { href: localAddress(attachment.url), target: '_blank', class: 'picture-link' }, image);
}

function textFile(attachment: APIAttachment): HTMLElement {
  const code = h('code', {}, '…');
  const more = h(
    'button',
    { type: 'button', class: 'file-more', title: 'Expand', hidden: true },
    icon('expand'),
  );
  const box = h(
    'div',
    { class: 'text-file' },
    h('pre', {}, code),
    h(
      'div',
      { class: 'file-bar' },
      more,
      h('span', { class: 'file-name' }, attachment.filename),
      h('span', { class: 'file-size' }, sizeOf(attachment.size)),
      h(
        'a',
        {
          href: localAddress(attachment.url),
          download: attachment.filename,
          title: 'Download',
          class: 'file-get',
        },
        icon('download'),
      ),
    ),
  );
  loadPreview(attachment.url).then((text) => {
    const lines = text.replace(/\n$/, '').split('\n');
    const long = lines.length > previewLines;
    const draw = () => {
      const whole = expanded.has(attachment.id);
      code.textContent = whole || !long ? lines.join('\n') : `${lines.slice(0, previewLines).join('\n')}\n…`;
      more.title = whole ? 'Collapse' : `Expand (${lines.length} lines)`;
    };
    more.hidden = !long;
    more.addEventListener('click', () => {
      if (!expanded.delete(attachment.id)) expanded.add(attachment.id);
      draw();
    });
    draw();
  });
  return box;
}

function loadPreview(url: string): Promise<string> {
  let preview = previews.get(url);
  preview ??= fetch(localAddress(url))
    .then((response) => (response.ok ? response.text() : '(the file is gone)'))
    .catch(() => '(the file could not be loaded)');
  previews.set(url, preview);
  return preview;
}
