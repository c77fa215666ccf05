/** What a forum shows: a card for each of its threads, the liveliest first. */
import type { PlayChannel } from '../play-protocol.ts';
import { h, icon } from './dom.ts';
import { messageTime } from './moments.ts';
import type { Session } from './session.ts';

const snippetChars = 160;

export function forumCards(
  session: Session,
  forum: PlayChannel,
  openChannel: (channelId: string) => void,
): HTMLElement[] {
  const threads = (session.state?.channels ?? []).filter(({ parentId }) => parentId === forum.id);
  const newest = (thread: PlayChannel) => session.messages(thread.id).at(-1)?.timestamp ?? '';
  const sorted = threads.sort((a, b) => newest(b).localeCompare(newest(a)) || a.name.localeCompare(b.name));
  if (sorted.length === 0) return [h('p', { class: 'forum-empty' }, 'There are no posts yet.')];
  return sorted.map((thread) => card(session, thread, openChannel));
}

function card(session: Session, thread: PlayChannel, openChannel: (channelId: string) => void): HTMLElement {
  const messages = session.messages(thread.id);
  const first = messages[0];
  const text = first?.content || first?.embeds[0]?.description || '';
  const last = messages.at(-1);
  const unread = session.unread.get(thread.id) ?? 0;
  return h(
    'button',
    {
      type: 'button',
      class: unread > 0 ? 'forum-card unread' : 'forum-card',
      onclick: () => openChannel(thread.id),
    },
    h('span', { class: 'forum-title' }, thread.name),
    h('span', { class: 'forum-snippet' }, snippet(text)),
    h(
      'span',
      { class: 'forum-meta' },
      icon('thread'),
      `${messages.length}`,
      last === undefined ? '' : ` · ${messageTime(last.timestamp)}`,
      unread > 0 && h('span', { class: 'count' }, String(unread)),
    ),
  );
}

/** The beginning of a text up to its first block of code, without its markup. */
function snippet(text: string): string {
  const plain = (text.split('```')[0] ?? '')
    .replace(/[*`#]+/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  return plain.length > snippetChars ? `${plain.slice(0, snippetChars - 1)}…` : plain;
}
