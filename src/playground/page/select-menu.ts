import type { APIStringSelectComponent } from 'discord-api-types/v10';
import { h, icon } from './dom.ts';

type Menu = Pick<
  APIStringSelectComponent,
  'options' | 'placeholder' | 'min_values' | 'max_values' | 'disabled'
>;

/**
 * A select menu: one choice is sent at once, several when the list closes, as on Discord.
 * `chosen` hears the values.
 */
export function selectMenu(menu: Menu, chosen: (values: string[]) => void): HTMLElement {
  const { min_values: min = 1, max_values: max = 1 } = menu;
  const several = max > 1;
  const preset = menu.options.filter((option) => option.default).map((option) => option.value);
  let values = preset;
  let active = -1;

  const label = h('span', { class: 'select-label' });
  const trigger = h(
    'button',
    {
      type: 'button',
      class: 'select-trigger',
      'aria-haspopup': 'listbox',
      'aria-expanded': 'false',
      disabled: menu.disabled,
    },
    label,
    icon('chevron'),
  );
  const list = h('div', { class: 'select-list', role: 'listbox', hidden: true, tabindex: -1 });
  const root = h('div', { class: 'select' }, trigger, list);

  const items = menu.options.map((option) =>
    h(
      'div',
      { class: 'select-option', role: 'option', onclick: () => pick(option.value) },
      option.emoji?.name ? h('span', { class: 'select-emoji' }, option.emoji.name) : undefined,
      h(
        'div',
        { class: 'select-text' },
        h('div', {}, option.label),
        option.description ? h('small', {}, option.description) : undefined,
      ),
      h('span', { class: 'select-mark' }, icon('check')),
    ),
  );
  list.append(...items);

  const draw = () => {
    const names = menu.options.filter(({ value }) => values.includes(value)).map((option) => option.label);
    label.textContent = names.length > 0 ? names.join(', ') : (menu.placeholder ?? 'Make a selection');
    label.classList.toggle('select-empty', names.length === 0);
    for (const [at, item] of items.entries()) {
      const selected = values.includes(menu.options[at]?.value ?? '');
      item.setAttribute('aria-selected', String(selected));
      item.classList.toggle('active', at === active);
    }
  };
  const isOpen = () => !list.hidden;
  const open = () => {
    list.hidden = false;
    root.classList.add('open');
    trigger.setAttribute('aria-expanded', 'true');
    active = 0;
    draw();
    document.addEventListener('pointerdown', outside, true);
    list.scrollIntoView({ block: 'nearest' });
  };
  const close = () => {
    if (!isOpen()) return;
    list.hidden = true;
    root.classList.remove('open');
    trigger.setAttribute('aria-expanded', 'false');
    document.removeEventListener('pointerdown', outside, true);
    const changed = values.length !== preset.length || values.some((value) => !preset.includes(value));
    if (several && changed && values.length >= min) chosen(values);
  };
  const outside = (event: Event) => {
    if (!event.composedPath().includes(root)) close();
  };
  const pick = (value: string) => {
    if (!several) {
      values = [value];
      draw();
      close();
      chosen(values);
    } else if (values.includes(value)) values = values.filter((other) => other !== value);
    else if (values.length < max) values = [...values, value];
    draw();
  };

  trigger.addEventListener('click', () => (isOpen() ? close() : open()));
  root.addEventListener('keydown', (event) => {
    if (!isOpen()) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) active = (active + step + items.length) % items.length;
    else if (event.key === 'Escape') close();
    else if (event.key === 'Enter' || event.key === ' ') pick(menu.options[active]?.value ?? '');
    else return;
    event.preventDefault();
    event.stopPropagation();
    draw();
    items[active]?.scrollIntoView({ block: 'nearest' });
  });
  draw();
  return root;
}
