/**
 * A slash command being filled in: the command's name, a pill for each option, and a tail in which optional options are
 * added.
 *
 * Enter takes the highlighted suggestion; with none highlighted it sends. After a suggestion the focus moves on to the
 * next empty required option, then to the tail. Backspace in an empty pill removes it; Escape gives the command up.
 */
import type { APIApplicationCommandBasicOption } from 'discord-api-types/v10';
import type { PlayAction, PlayCommand, PlayValue } from '../play-protocol.ts';
import { avatarOf } from './avatars.ts';
import { h } from './dom.ts';
import { dropBox } from './drop-box.ts';
import { type Choice, fixedChoices, isCompleted, optionTypes } from './option-suggestions.ts';
import { Refused, type Session } from './session.ts';
import type { SuggestList } from './suggest-list.ts';

const typingPauseMs = 120;

interface Field {
  option: APIApplicationCommandBasicOption;
  root: HTMLElement;
  focus: () => void;
  /** What the person sees in the pill. */
  text: () => string;
  /** Set when a choice was taken whose value is not its text. */
  chosen: Choice | undefined;
  file: File | undefined;
}

interface FormEvents {
  send: (action: PlayAction, files: Map<string, File>) => void;
  cancel: () => void;
}

export class CommandForm {
  readonly element = h('div', { class: 'command-form' });
  readonly drops = h('div', { class: 'drops' });
  readonly command: PlayCommand;
  readonly #session: Session;
  readonly #suggest: SuggestList;
  readonly #events: FormEvents;
  readonly #fields: Field[] = [];
  readonly #pills = h('span', { class: 'pills' });
  readonly #tail: HTMLInputElement;
  readonly #strip = h('div', { class: 'option-strip' });
  #asked = 0;

  constructor(session: Session, command: PlayCommand, suggest: SuggestList, events: FormEvents) {
    this.command = command;
    this.#session = session;
    this.#suggest = suggest;
    this.#events = events;
    this.#tail = h('input', { class: 'tail', 'aria-label': 'More options', size: 1 }) as HTMLInputElement;
    this.#tail.addEventListener('focus', () => this.#offerOptions());
    this.#tail.addEventListener('input', () => this.#offerOptions());
    this.#tail.addEventListener('blur', () => suggest.hide());
    this.#tail.addEventListener('keydown', (event) => this.#tailKey(event));
    for (const option of command.options) if (option.required) this.#add(option);
    const bot = session.state?.bot.user;
    this.element.append(
      h('img', { src: avatarOf({ id: bot?.id ?? '', name: '', bot: true }), alt: '' }),
      h('span', { class: 'command-name' }, `/${command.path.join(' ')}`),
      this.#pills,
      this.#tail,
    );
    this.element.addEventListener('mousedown', (event) => {
      if (event.target !== this.element) return;
      event.preventDefault();
      this.#tail.focus();
    });
    this.#explain(undefined);
  }

  /** The line above the input: the option at hand, or an error. */
  get strip(): HTMLElement {
    return this.#strip;
  }

  /** Puts the cursor where something is missing. */
  focus(): void {
    const next = this.#fields.find((field) => isEmpty(field) && field.option.type !== optionTypes.attachment);
    if (next !== undefined) next.focus();
    else this.#tail.focus();
  }

  showError(text: string): void {
    // The server names the option first; that pill is the one to mend.
    const named = this.#fields.find((field) => text.startsWith(`${field.option.name}:`));
    named?.root.classList.add('invalid');
    named?.focus();
    // After the focus, which puts the option's description there.
    this.#strip.replaceChildren(h('span', { class: 'strip-error', role: 'alert' }, text));
  }

  /** A file dropped anywhere on the page goes to the first attachment option. Returns whether there is one. */
  takeFile(file: File): boolean {
    const option = this.command.options.find(({ type }) => type === optionTypes.attachment);
    if (option === undefined) return false;
    const field = this.#fields.find((one) => one.option === option) ?? this.#add(option);
    field.root.dispatchEvent(new CustomEvent('file', { detail: file }));
    return true;
  }

  send(): void {
    const missing = this.#fields.find((field) => field.option.required && isEmpty(field));
    if (missing !== undefined) {
      this.showError(`${missing.option.name}: this option is required. Specify a value`);
      return;
    }
    this.#suggest.hide();
    const { path } = this.command;
    const { channelId } = this.#session;
    this.#events.send({ kind: 'command', channelId, path, options: this.#values() }, this.#files());
  }

  #values(): Record<string, PlayValue> {
    const values: Record<string, PlayValue> = {};
    for (const field of this.#fields) {
      if (field.option.type === optionTypes.attachment || isEmpty(field)) continue;
      values[field.option.name] = fieldValue(this.#session, field);
    }
    return values;
  }

  #files(): Map<string, File> {
    const files = new Map<string, File>();
    for (const { option, file } of this.#fields) if (file !== undefined) files.set(option.name, file);
    return files;
  }

  #add(option: APIApplicationCommandBasicOption): Field {
    const field = option.type === optionTypes.attachment ? this.#fileField(option) : this.#textField(option);
    this.#fields.push(field);
    return field;
  }

  #remove(field: Field): void {
    const at = this.#fields.indexOf(field);
    if (at >= 0) this.#fields.splice(at, 1);
    field.root.remove();
    this.#tail.focus();
  }

  #fileField(option: APIApplicationCommandBasicOption): Field {
    const box = dropBox(option, (file) => {
      field.file = file;
      box.classList.remove('invalid');
      this.focus();
    });
    const field: Field = {
      option,
      root: box,
      focus: () => box.querySelector<HTMLElement>('button')?.focus(),
      text: () => field.file?.name ?? '',
      chosen: undefined,
      file: undefined,
    };
    box.addEventListener('focusin', () => this.#explain(option));
    box.addEventListener('remove', () => {
      field.file = undefined;
      if (!option.required) this.#remove(field);
    });
    this.drops.append(box);
    return field;
  }

  #textField(option: APIApplicationCommandBasicOption): Field {
    const input = h('input', {
      'aria-label': option.name,
      spellcheck: 'false',
      autocomplete: 'off',
    }) as HTMLInputElement;
    const root = h('span', { class: 'pill' }, h('span', { class: 'pill-name' }, option.name), input);
    const field: Field = {
      option,
      root,
      focus: () => input.focus(),
      text: () => input.value,
      chosen: undefined,
      file: undefined,
    };
    const resize = () => {
      input.size = Math.min(Math.max(input.value.length, 1), 40);
    };
    const pick = (choice: Choice) => {
      input.value = choice.name;
      field.chosen = choice;
      resize();
      root.classList.remove('invalid');
      this.#suggest.hide();
      this.focus();
    };
    input.addEventListener('focus', () => {
      this.#explain(option);
      this.#offerChoices(field, pick, 0);
    });
    input.addEventListener('input', () => {
      field.chosen = undefined;
      root.classList.remove('invalid');
      resize();
      this.#offerChoices(field, pick, typingPauseMs);
    });
    input.addEventListener('blur', () => {
      this.#asked += 1;
      this.#suggest.hide();
    });
    input.addEventListener('keydown', (event) => {
      if (this.#suggest.key(event)) return;
      if (event.key === 'Enter') this.send();
      else if (event.key === 'Escape') this.#events.cancel();
      else if (event.key === 'Backspace' && input.value === '') this.#stepBack(field);
      else return;
      event.preventDefault();
    });
    root.addEventListener('mousedown', (event) => {
      if (event.target === input) return;
      event.preventDefault();
      input.focus();
    });
    resize();
    this.#pills.append(root);
    return field;
  }

  #stepBack(field: Field): void {
    if (!field.option.required) this.#remove(field);
    else if (this.#fields.every((other) => isEmpty(other))) this.#events.cancel();
    else this.#fields[this.#fields.indexOf(field) - 1]?.focus();
  }

  #tailKey(event: KeyboardEvent): void {
    if (this.#suggest.key(event)) return;
    if (event.key === 'Enter') this.send();
    else if (event.key === 'Escape') this.#events.cancel();
    else if (event.key === 'Backspace' && this.#tail.value === '') {
      const last = this.#fields.at(-1);
      if (last === undefined) this.#events.cancel();
      else last.focus();
    } else return;
    event.preventDefault();
  }

  // Suggestions that belong to an older text, or to a field that lost the focus, are dropped by their number.
  #offerChoices(field: Field, pick: (choice: Choice) => void, afterMs: number): void {
    const mine = ++this.#asked;
    const { option } = field;
    const fixed = fixedChoices(this.#session, option);
    const text = field.chosen === undefined ? field.text() : '';
    const show = (choices: Choice[], empty: string) => {
      const items = choices.map((choice) => ({
        title: choice.name,
        ...(choice.picture === undefined ? {} : { picture: choice.picture }),
        pick: () => pick(choice),
      }));
      this.#suggest.show(`Options for ${option.name}`, items, true, empty);
    };
    if (fixed !== undefined) {
      const fits = fixed.filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()));
      show(fits, 'No options match your search.');
      return;
    }
    this.#suggest.hide();
    if (!isCompleted(option)) return;
    setTimeout(async () => {
      if (mine !== this.#asked) return;
      const { path } = this.command;
      const { channelId } = this.#session;
      const options = { ...this.#values(), [option.name]: text };
      const action: PlayAction = { kind: 'autocomplete', channelId, path, options, focused: option.name };
      const outcome = await this.#session.act(action).catch((error: unknown) => {
        if (!(error instanceof Refused)) throw error;
        return undefined;
      });
      if (mine !== this.#asked || outcome === undefined) return;
      const choices = outcome.state === 'answered' ? (outcome.choices ?? []) : [];
      show(choices, outcome.state === 'failed' ? 'Loading options failed' : 'No options match your search.');
    }, afterMs);
  }

  #offerOptions(): void {
    this.#explain(undefined);
    this.#asked += 1;
    const typed = this.#tail.value.trim().toLowerCase();
    const left = this.command.options.filter(
      (option) => !this.#fields.some((field) => field.option === option),
    );
    const fits = left.filter(({ name }) => name.startsWith(typed));
    const items = fits.map((option) => ({
      title: option.name,
      detail: option.description,
      pick: () => {
        this.#tail.value = '';
        this.#suggest.hide();
        this.#add(option).focus();
      },
    }));
    // Enter in an empty tail sends; it takes an option only once the person typed or moved to one.
    this.#suggest.show('Optional', items, typed !== '');
  }

  #explain(option: APIApplicationCommandBasicOption | undefined): void {
    this.#strip.replaceChildren(
      h('b', {}, option?.name ?? `/${this.command.path.join(' ')}`),
      h('span', {}, option?.description ?? this.command.description),
    );
  }
}

function isEmpty(field: Field): boolean {
  return field.option.type === optionTypes.attachment ? field.file === undefined : field.text().trim() === '';
}

// Typing a choice's name in full is as good as picking it.
function fieldValue(session: Session, field: Field): PlayValue {
  if (field.chosen !== undefined) return field.chosen.value;
  const text = field.text().trim();
  const typed = fixedChoices(session, field.option)?.find(
    ({ name }) => name.toLowerCase() === text.toLowerCase(),
  );
  return typed?.value ?? text;
}
