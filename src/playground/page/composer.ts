/** The line at the bottom: plain messages, and slash commands from the first `/` to Enter. */
import type { PlayAction, PlayCommand } from '../play-protocol.ts';
import { avatarOf } from './avatars.ts';
import { CommandForm } from './command-form.ts';
import { rankCommands } from './command-ranking.ts';
import { h, icon } from './dom.ts';
import { showModal } from './modal-view.ts';
import { Refused, type Session } from './session.ts';
import { SuggestList } from './suggest-list.ts';

export class Composer {
  readonly element = h('div', { class: 'composer' });
  readonly #suggest = new SuggestList();
  readonly #above = h('div', { class: 'composer-above' });
  readonly #line = h('div', { class: 'composer-line' });
  readonly #text: HTMLTextAreaElement;
  readonly #sent: () => void;
  #session: Session;
  #form: CommandForm | undefined;
  #channelId = '';

  /** `sent` hears that something goes off, before it does. */
  constructor(session: Session, sent: () => void) {
    this.#session = session;
    this.#sent = sent;
    this.#text = h('textarea', { rows: 1, 'aria-label': 'Message', maxlength: 2000 }) as HTMLTextAreaElement;
    this.#text.addEventListener('input', () => this.#typed());
    this.#text.addEventListener('focus', () => this.#typed());
    this.#text.addEventListener('blur', () => this.#suggest.hide());
    this.#text.addEventListener('keydown', (event) => this.#key(event));
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.#form !== undefined && !event.defaultPrevented) this.#showText('');
    });
    this.element.append(this.#suggest.element, this.#above, this.#line);
    this.#takeDrops();
    this.#showText('');
  }

  /** Follows the session to another user or channel; what was being written stays only in the same channel. */
  follow(session: Session): void {
    const moved = session !== this.#session || session.channelId !== this.#channelId;
    this.#session = session;
    this.#channelId = session.channelId;
    const channel = session.state?.channels.find(({ id }) => id === session.channelId);
    const place =
      channel === undefined ? '' : channel.kind === 'dm' ? `@${channel.name}` : `#${channel.name}`;
    this.#text.placeholder = `Message ${place}`;
    if (moved) this.#showText('');
  }

  focus(): void {
    if (this.#form === undefined) this.#text.focus();
    else this.#form.focus();
  }

  #typed(): void {
    this.#grow();
    const text = this.#text.value;
    if (!text.startsWith('/') || text.includes('\n')) {
      this.#suggest.hide();
      return;
    }
    const typed = text.slice(1).trim().toLowerCase();
    const fits = rankCommands(this.#session.commands, typed);
    const bot = this.#session.state?.bot;
    const picture = avatarOf({ id: bot?.user.id ?? '', name: '', bot: true });
    const items = fits.map((command) => ({
      title: `/${command.path.join(' ')}`,
      detail: command.description,
      hint: optionsHint(command),
      picture,
      pick: () => this.#choose(command),
    }));
    const none = bot?.online === false ? 'The bot is not connected.' : 'No commands match.';
    this.#suggest.show(bot?.user.username ?? 'Commands', items, true, none);
  }

  #key(event: KeyboardEvent): void {
    if (this.#suggest.key(event)) return;
    if (event.key === 'Escape') this.#suggest.hide();
    if (event.key === ' ' && this.#text.value.startsWith('/')) {
      const typed = this.#text.value.slice(1).trim().toLowerCase();
      const exact = this.#session.commands.find(({ path }) => path.join(' ') === typed);
      if (exact === undefined) return;
      event.preventDefault();
      this.#choose(exact);
    }
    if (event.key !== 'Enter' || event.shiftKey) return;
    event.preventDefault();
    void this.#say();
  }

  async #say(): Promise<void> {
    const content = this.#text.value.trim();
    // A slash that names no command would be posted for all to see; Discord stops it too.
    if (content === '' || content.startsWith('/')) return;
    this.#showText('');
    this.#sent();
    try {
      await this.#session.act({ kind: 'say', channelId: this.#session.channelId, content });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#showText(content, error.message);
    }
  }

  #choose(command: PlayCommand): void {
    this.#suggest.hide();
    const form = new CommandForm(this.#session, command, this.#suggest, {
      send: (action, files) => void this.#run(form, action, files),
      cancel: () => this.#showText(''),
    });
    this.#showForm(form);
  }

  async #run(form: CommandForm, action: PlayAction, files: Map<string, File>): Promise<void> {
    const session = this.#session;
    this.#showText('');
    this.#sent();
    try {
      const outcome = await session.runCommand(form.command.path, action, files);
      if (outcome.state === 'answered' && outcome.modal !== undefined && session === this.#session) {
        showModal(session, outcome.interactionId, outcome.modal);
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (session !== this.#session || this.#form !== undefined) return;
      this.#showForm(form);
      form.showError(error.message);
    }
  }

  #showForm(form: CommandForm): void {
    this.#form = form;
    const send = h(
      'button',
      { type: 'button', class: 'composer-button send', 'aria-label': 'Send', onclick: () => form.send() },
      icon('send'),
    );
    const cancel = h(
      'button',
      { type: 'button', class: 'composer-button', 'aria-label': 'Cancel', onclick: () => this.#showText('') },
      icon('close'),
    );
    this.#above.replaceChildren(form.drops, form.strip);
    this.#line.replaceChildren(form.element, cancel, send);
    this.element.classList.add('commanding');
    form.focus();
  }

  #showText(text: string, error = ''): void {
    const hadFocus = this.element.contains(document.activeElement);
    this.#form = undefined;
    this.#suggest.hide();
    this.#text.value = text;
    const slash = h(
      'button',
      {
        type: 'button',
        class: 'composer-button',
        'aria-label': 'Commands',
        title: 'Commands',
        onclick: () => {
          this.#text.value = '/';
          this.#text.focus();
          this.#typed();
        },
      },
      icon('plus'),
    );
    this.#above.replaceChildren(error === '' ? '' : h('div', { class: 'option-strip strip-error' }, error));
    this.#line.replaceChildren(slash, this.#text);
    this.element.classList.remove('commanding');
    this.#grow();
    if (hadFocus) this.#text.focus();
  }

  #grow(): void {
    this.#text.style.height = 'auto';
    this.#text.style.height = `${Math.min(this.#text.scrollHeight, 200)}px`;
  }

  // A file may be dropped anywhere: on an open command it fills its attachment option, otherwise it opens the first
  // command that takes one.
  #takeDrops(): void {
    document.addEventListener('dragover', (event) => {
      event.preventDefault();
      document.body.classList.add('dragging');
    });
    document.addEventListener('dragleave', (event) => {
      if (event.relatedTarget === null) document.body.classList.remove('dragging');
    });
    document.addEventListener('drop', (event) => {
      event.preventDefault();
      document.body.classList.remove('dragging');
      const file = event.dataTransfer?.files[0];
      if (file === undefined) return;
      if (this.#form === undefined) {
        const taker = this.#session.commands.find(({ options }) => options.some(({ type }) => type === 11));
        if (taker === undefined) return;
        this.#choose(taker);
      }
      this.#form?.takeFile(file);
    });
  }
}

/** `file +3`: the required options by name, the others by number. */
function optionsHint({ options }: PlayCommand): string {
  const required = options.filter((option) => option.required).map(({ name }) => name);
  const others = options.length - required.length;
  return [...required, ...(others === 0 ? [] : [`+${others} optional`])].join('  ');
}
