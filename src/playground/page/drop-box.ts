import type { APIApplicationCommandBasicOption } from 'discord-api-types/v10';
import { sizeOf } from './attachment-view.ts';
import { h, icon } from './dom.ts';

/**
 * The box of an attachment option: click, drop or paste a file. It hears a `file` event (a file dropped elsewhere on the
 * page) and sends `remove` when the person takes the file, or the empty box, away.
 */
export function dropBox(option: APIApplicationCommandBasicOption, chosen: (file: File) => void): HTMLElement {
  const input = h('input', { type: 'file', hidden: true, 'aria-label': option.name }) as HTMLInputElement;
  const face = h('button', { type: 'button', class: 'drop-face', title: option.description });
  const remove = h('button', { type: 'button', class: 'drop-remove', 'aria-label': 'Remove' }, icon('close'));
  const root = h(
    'div',
    { class: 'drop-box', 'data-option': option.name },
    face,
    remove,
    h('div', { class: 'drop-name' }, option.name, option.required ? h('b', {}, ' *') : undefined),
    input,
  );
  const draw = (file: File | undefined) => {
    root.classList.toggle('filled', file !== undefined);
    remove.hidden = file === undefined && option.required === true;
    face.replaceChildren(
      icon(file === undefined ? 'upload' : 'file'),
      h('span', { class: 'drop-title' }, file?.name ?? 'Drop a file here'),
      h('span', { class: 'drop-detail' }, file === undefined ? 'or click to choose' : sizeOf(file.size)),
    );
  };
  const take = (file: File | undefined) => {
    if (file === undefined) return;
    draw(file);
    chosen(file);
  };
  face.addEventListener('click', () => input.click());
  input.addEventListener('change', () => take(input.files?.[0]));
  root.addEventListener('file', (event) => take((event as CustomEvent<File>).detail));
  remove.addEventListener('click', () => {
    input.value = '';
    draw(undefined);
    root.dispatchEvent(new Event('remove'));
  });
  draw(undefined);
  return root;
}
