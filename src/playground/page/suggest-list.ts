import { h } from './dom.ts';

export interface Suggestion {
  title: string;
  detail?: string;
  /** Shown at the right end, in grey. */
  hint?: string;
  /** An image address before the title. */
  picture?: string;
  pick: () => void;
}

/** The list above the composer: commands, choices, people. The input keeps the focus and hands its keys over. */
export class SuggestList {
  readonly element = h('div', { class: 'suggest', role: 'listbox', hidden: true });
  #items: Suggestion[] = [];
  #rows: HTMLElement[] = [];
  #active = -1;

  constructor() {
    // Without this, pressing the mouse on the list would take the focus, and losing the focus closes the list.
    this.element.addEventListener('mousedown', (event) => event.preventDefault());
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  /** Shows these; `first` says whether Enter takes the first one without an arrow key. */
  show(heading: string, items: Suggestion[], first = true, empty = ''): void {
    if (items.length === 0 && empty === '') {
      this.hide();
      return;
    }
    this.#items = items;
    this.#active = first && items.length > 0 ? 0 : -1;
    this.#rows = items.map((item, at) => {
      const row = h(
        'div',
        { class: 'suggest-row', role: 'option', onclick: () => item.pick() },
        item.picture === undefined ? undefined : h('img', { src: item.picture, alt: '' }),
        h(
          'div',
          { class: 'suggest-text' },
          h('div', { class: 'suggest-title' }, item.title),
          item.detail === undefined ? undefined : h('div', { class: 'suggest-detail' }, item.detail),
        ),
        item.hint === undefined ? undefined : h('span', { class: 'suggest-hint' }, item.hint),
      );
      row.addEventListener('mousemove', () => this.#highlight(at));
      return row;
    });
    this.element.replaceChildren(
      h('div', { class: 'suggest-heading' }, heading),
      ...this.#rows,
      items.length === 0 ? h('div', { class: 'suggest-empty' }, empty) : '',
    );
    this.element.hidden = false;
    this.element.scrollTop = 0;
    this.#highlight(this.#active);
  }

  hide(): void {
    this.element.hidden = true;
    this.#items = [];
    this.#active = -1;
  }

  /** Takes arrow keys, Enter and Tab. Returns whether the key was used up. */
  key(event: KeyboardEvent): boolean {
    if (!this.isOpen || this.#items.length === 0) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      const from = this.#active < 0 && step < 0 ? 0 : this.#active;
      this.#highlight((from + step + this.#items.length) % this.#items.length);
      this.#rows[this.#active]?.scrollIntoView({ block: 'nearest' });
    } else if ((event.key === 'Enter' || (event.key === 'Tab' && !event.shiftKey)) && this.#active >= 0) {
      this.#items[this.#active]?.pick();
    } else return false;
    event.preventDefault();
    return true;
  }

  #highlight(at: number): void {
    this.#active = at;
    for (const [index, row] of this.#rows.entries()) {
      row.classList.toggle('active', index === at);
      row.setAttribute('aria-selected', String(index === at));
    }
  }
}
