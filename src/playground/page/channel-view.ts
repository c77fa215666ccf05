import type { PlayChannel } from '../play-protocol.ts';
import type { MessageActions } from './component-view.ts';
import { h, icon } from './dom.ts';
import { forumCards } from './forum-view.ts';
import { hintCard } from './hint-card.ts';
import { messageView, noticeView } from './message-view.ts';
import type { Session } from './session.ts';
import { channelIcon } from './sidebar.ts';

const nearBottomPx = 120;

interface Shown {
  /** What the element was drawn from; undefined is always drawn anew. */
  version: unknown[] | undefined;
  element: HTMLElement;
}

/**
 * The message list of the open channel. Only messages that changed are drawn anew, so menus and spoilers stay open.
 *
 * The end stays in view until the person scrolls up. Components, pictures and file previews get their height long after
 * they were added, and the browser reports a scroll one frame late: by then the end that was scrolled to is no longer
 * the end, which looks just like a person who scrolled up. What tells them apart is the size: a frame in which the list
 * or the room for it changed proves nothing, and the observer, which hears of every such change, goes to the end again.
 */
export class ChannelView {
  readonly element = h('div', { class: 'scroller', role: 'log', 'aria-live': 'polite', tabindex: 0 });
  readonly #list = h('discord-messages', {});
  readonly #actions: MessageActions;
  readonly #openChannel: (channelId: string) => void;
  #shown = new Map<string, Shown>();
  #head = h('section');
  #place = '';
  #sticks = true;
  // As of the last frame, in pixels.
  #listHeight = 0;
  #roomHeight = 0;

  constructor(actions: MessageActions, openChannel: (channelId: string) => void) {
    this.#actions = actions;
    this.#openChannel = openChannel;
    this.element.append(this.#list);
    const sizes = new ResizeObserver(() => {
      this.#listHeight = this.#list.offsetHeight;
      this.#roomHeight = this.element.clientHeight;
      if (this.#sticks) this.#toBottom();
    });
    sizes.observe(this.#list);
    // The composer takes room from this element when a command is being filled in.
    sizes.observe(this.element);
    this.element.addEventListener('scroll', () => {
      const { scrollHeight, scrollTop, clientHeight } = this.element;
      const resized = this.#list.offsetHeight !== this.#listHeight || clientHeight !== this.#roomHeight;
      if (scrollHeight - scrollTop - clientHeight < nearBottomPx) this.#sticks = true;
      else if (!resized) this.#sticks = false;
    });
  }

  /** The person did something: what comes of it appears at the end, so the end is shown. */
  followEnd(): void {
    this.#sticks = true;
  }

  draw(session: Session): void {
    const channel = session.state?.channels.find(({ id }) => id === session.channelId);
    if (channel === undefined) return;
    const place = `${session.userId}:${channel.id}`;
    if (place !== this.#place) {
      this.#place = place;
      this.#shown = new Map();
      this.#head = welcome(channel);
      this.#sticks = true;
      this.element.classList.toggle('forum', channel.kind === 'forum');
      this.element.scrollTop = 0;
    }
    if (channel.kind === 'forum') {
      this.#sticks = false;
      this.#arrange([this.#head, ...forumCards(session, channel, this.#openChannel)]);
      return;
    }
    const messages = session.messages(channel.id);
    const shown = new Map<string, Shown>();
    const notices = session.notices.filter(({ channelId }) => channelId === channel.id);
    const showNotices = (beforeMs: number) => {
      for (const notice of notices.splice(0, notices.findLastIndex((one) => one.sentAtMs < beforeMs) + 1)) {
        shown.set(`notice ${notice.key}`, { version: undefined, element: noticeView(session, notice) });
      }
    };
    for (const [at, message] of messages.entries()) {
      showNotices(Date.parse(message.timestamp));
      const version = [message, messages[at - 1], session.failed.get(message.id)];
      const known = this.#shown.get(message.id);
      const same = known !== undefined && sameVersion(known.version, version);
      const element = same ? known.element : messageView(session, message, messages[at - 1], this.#actions);
      shown.set(message.id, { version, element });
    }
    showNotices(Number.POSITIVE_INFINITY);
    this.#shown = shown;
    this.#arrange([this.#head, ...[...shown.values()].map(({ element }) => element)]);
    // A message that came in place of one of the same height moves nothing, so the observer may have nothing to say.
    if (this.#sticks) this.#toBottom();
  }

  // Moving an element that stays where it is would close its open menu, so only differences are touched.
  #arrange(elements: HTMLElement[]): void {
    const wanted = new Set<Element>(elements);
    for (const child of [...this.#list.children]) if (!wanted.has(child)) child.remove();
    for (const [at, element] of elements.entries()) {
      const there = this.#list.children[at];
      if (there !== element) this.#list.insertBefore(element, there ?? null);
    }
  }

  #toBottom(): void {
    this.element.scrollTop = this.element.scrollHeight;
  }
}

function sameVersion(version: unknown[] | undefined, now: unknown[]): boolean {
  return version?.every((part, at) => part === now[at]) === true;
}

function welcome(channel: PlayChannel): HTMLElement {
  const { kind, topic } = channel;
  const name = kind === 'text' ? `#${channel.name}` : channel.name;
  const about = topic === '' ? '' : `${topic}.`;
  const text = {
    dm: `This is the beginning of your direct messages with ${name}.`,
    thread: 'This is the start of the thread.',
    forum: about,
    text: `This is the start of the ${name} channel. ${about}`,
  }[kind];
  return h(
    'section',
    { class: 'welcome' },
    h('span', { class: 'welcome-icon' }, kind === 'text' ? icon('hash') : channelIcon(channel)),
    h('h2', {}, kind === 'text' ? `Welcome to ${name}!` : name),
    h('p', {}, text),
    channel.kind === 'text' && !channel.restricted ? hintCard() : undefined,
  );
}
