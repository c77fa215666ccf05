import type {
  APIButtonComponent,
  APIMessage,
  APIStringSelectComponent,
  ButtonStyle,
  ComponentType,
} from 'discord-api-types/v10';
import { h, icon } from './dom.ts';
import { selectMenu } from './select-menu.ts';

// Types only are imported from discord-api-types, to keep its tables out of the page; these are its numbers.
const buttonType = 2 satisfies ComponentType.Button;
const stringSelectType = 3 satisfies ComponentType.StringSelect;
const linkStyle = 5 satisfies ButtonStyle.Link;

const looks: Record<number, string> = { 1: 'primary', 2: 'secondary', 3: 'success', 4: 'destructive' };

export interface MessageActions {
  press(message: APIMessage, customId: string): void;
  select(message: APIMessage, customId: string, values: string[]): void;
  dismiss(message: APIMessage): void;
}

/** The rows of buttons and menus under a message. */
export function componentRows(message: APIMessage, actions: MessageActions): HTMLElement[] {
  return (message.components ?? []).map((row) => {
    const parts = 'components' in row ? row.components : [];
    return h(
      'discord-action-row',
      {},
      ...parts.map((part) => {
        if (part.type === buttonType) return buttonView(part, message, actions);
        if (part.type !== stringSelectType) return undefined;
        const menu: APIStringSelectComponent = part;
        return selectMenu(menu, (values) => actions.select(message, menu.custom_id, values));
      }),
    );
  });
}

function buttonView(button: APIButtonComponent, message: APIMessage, actions: MessageActions): HTMLElement {
  const label = 'label' in button ? (button.label ?? '') : '';
  const emoji = 'emoji' in button ? (button.emoji?.name ?? '') : '';
  const disabled = button.disabled === true;
  const inside = h('span', {}, [emoji, label].filter((text) => text !== '').join(' '));
  if (button.style === linkStyle) {
    return h('discord-button', { url: button.url, disabled, type: 'secondary' }, inside);
  }
  if (!('custom_id' in button)) return h('span');
  const { custom_id: customId } = button;
  const element = h('discord-button', { type: looks[button.style] ?? 'secondary', disabled }, inside);
  if (disabled) return element;
  element.addEventListener('click', () => {
    if (element.classList.contains('busy')) return;
    element.classList.add('busy');
    actions.press(message, customId);
  });
  return element;
}

/** The sign of a menu that opens. */
export function chevron(): HTMLElement {
  return h('span', { class: 'chevron' }, icon('chevron'));
}
