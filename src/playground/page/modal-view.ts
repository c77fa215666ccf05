import type { APIModalInteractionResponseCallbackData } from 'discord-api-types/v10';
import { avatarOf } from './avatars.ts';
import { h, icon } from './dom.ts';
import { selectMenu } from './select-menu.ts';
import { Refused, type Session } from './session.ts';

interface Input {
  type: number;
  custom_id: string;
  style?: number;
  required?: boolean;
  placeholder?: string;
  value?: string;
  min_length?: number;
  max_length?: number;
  options?: { label: string; value: string; description?: string }[];
  min_values?: number;
  max_values?: number;
}

interface Wrapper {
  label?: string;
  description?: string;
  component?: Input;
  components?: (Input & { label?: string })[];
}

const paragraphStyle = 2;
const selectType = 3;

/** Shows the form that the bot opened; it stays until it is sent or cancelled. */
export function showModal(
  session: Session,
  interactionId: string,
  modal: APIModalInteractionResponseCallbackData,
): void {
  const bot = session.state?.bot.user;
  const fields: Record<string, string | string[]> = {};
  const readers: (() => void)[] = [];
  const error = h('p', { class: 'modal-error', role: 'alert' });
  const rows = (modal.components as unknown as Wrapper[]).flatMap((wrapper) => {
    const inner = wrapper.component === undefined ? (wrapper.components ?? []) : [wrapper.component];
    return inner.map((input) => {
      const label = wrapper.label ?? (input as { label?: string }).label ?? '';
      return h(
        input.type === selectType ? 'div' : 'label',
        { class: 'modal-field' },
        h('span', { class: 'modal-label' }, label, input.required === false ? undefined : h('b', {}, ' *')),
        wrapper.description ? h('small', {}, wrapper.description) : undefined,
        inputView(input, fields, readers),
      );
    });
  });
  const dialog = h('dialog', { class: 'modal' }) as HTMLDialogElement;
  const cancel = () => dialog.close();
  const send = async (event: Event) => {
    event.preventDefault();
    for (const read of readers) read();
    try {
      const outcome = await session.act({ kind: 'modal', interactionId, fields });
      if (outcome.state === 'failed') error.textContent = 'Something went wrong. Try again.';
      else dialog.close();
    } catch (refusal) {
      if (!(refusal instanceof Refused)) throw refusal;
      error.textContent = refusal.message;
    }
  };
  dialog.append(
    h(
      'form',
      { onsubmit: send, novalidate: true },
      h(
        'header',
        {},
        h('img', { src: avatarOf({ id: bot?.id ?? '', name: bot?.username ?? '', bot: true }), alt: '' }),
        h('h2', {}, modal.title),
        h(
          'button',
          { type: 'button', class: 'modal-close', 'aria-label': 'Close', onclick: cancel },
          icon('close'),
        ),
      ),
      h(
        'div',
        { class: 'modal-body' },
        h(
          'p',
          { class: 'modal-warning' },
          'This form will be submitted to ',
          h('strong', {}, bot?.username ?? 'the bot'),
          '. Do not share passwords or other sensitive information.',
        ),
        ...rows,
        error,
      ),
      h(
        'footer',
        {},
        h('button', { type: 'button', class: 'button-plain', onclick: cancel }, 'Cancel'),
        h('button', { type: 'submit', class: 'button-primary' }, 'Submit'),
      ),
    ),
  );
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  dialog
    .querySelector<HTMLElement>('.modal-field input, .modal-field textarea, .modal-field button')
    ?.focus();
}

function inputView(
  input: Input,
  fields: Record<string, string | string[]>,
  readers: (() => void)[],
): HTMLElement {
  if (input.type === selectType) {
    return selectMenu({ ...input, options: input.options ?? [] }, (values) => {
      fields[input.custom_id] = values;
    });
  }
  const long = input.style === paragraphStyle;
  const box = h(long ? 'textarea' : 'input', {
    name: input.custom_id,
    placeholder: input.placeholder,
    maxlength: input.max_length,
    rows: long ? 5 : undefined,
  }) as HTMLInputElement;
  box.value = input.value ?? '';
  readers.push(() => {
    fields[input.custom_id] = box.value;
  });
  return box;
}
