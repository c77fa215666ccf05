import type { PlayChannel, PlayUser } from '../play-protocol.ts';
import { avatarOf } from './avatars.ts';
import { h, type IconName, icon } from './dom.ts';
import type { Session } from './session.ts';

const icons: Record<PlayChannel['kind'], IconName> = {
  text: 'hash',
  forum: 'forum',
  dm: 'at',
  thread: 'thread',
};

export function channelIcon({ kind, restricted }: PlayChannel): SVGElement {
  return icon(restricted ? 'lock' : icons[kind]);
}

interface SidebarEvents {
  openChannel: (channelId: string) => void;
  switchUser: (userId: string) => void;
}

/** The left column: server, channels, direct messages, and at the bottom who one is. */
export function sidebarView(session: Session, events: SidebarEvents): HTMLElement[] {
  const { state } = session;
  if (state === undefined) return [];
  const inGuild = state.channels.filter(({ kind, parentId }) => kind !== 'dm' && parentId === null);
  const direct = state.channels.filter(({ kind }) => kind === 'dm');
  const entry = (channel: PlayChannel) => channelEntry(session, channel, events);
  return [
    h(
      'header',
      { class: 'server' },
      h('h1', {}, state.guild.name),
      h('span', { class: 'badge' }, 'playground'),
    ),
    h(
      'nav',
      { class: 'channels', 'aria-label': 'Channels' },
      h('h2', {}, 'Text channels'),
      ...inGuild.flatMap((channel) => [
        entry(channel),
        ...state.channels.filter((thread) => isListed(session, channel, thread)).map(entry),
      ]),
      direct.length > 0 && h('h2', {}, 'Direct messages'),
      ...direct.map(entry),
    ),
    userPanel(state.me, state.users, events),
  ];
}

/** Of a forum those alone that are open or have something new: it may have hundreds, and lists them itself. */
function isListed(session: Session, parent: PlayChannel, thread: PlayChannel): boolean {
  if (thread.parentId !== parent.id) return false;
  return parent.kind !== 'forum' || thread.id === session.channelId || session.unread.has(thread.id);
}

function channelEntry(session: Session, channel: PlayChannel, events: SidebarEvents): HTMLElement {
  const unread = session.unread.get(channel.id) ?? 0;
  const classes = ['channel', `channel-${channel.kind}`];
  if (channel.id === session.channelId) classes.push('current');
  if (unread > 0) classes.push('unread');
  return h(
    'button',
    { type: 'button', class: classes.join(' '), onclick: () => events.openChannel(channel.id) },
    channelIcon(channel),
    h('span', { class: 'channel-name' }, channel.name),
    unread > 0 && h('span', { class: 'count' }, String(unread)),
  );
}

function userPanel(me: PlayUser, users: PlayUser[], events: SidebarEvents): HTMLElement {
  return h(
    'section',
    { class: 'user-panel', 'aria-label': 'Who you are' },
    h('h2', {}, 'Switch user'),
    h(
      'div',
      { class: 'user-switch', role: 'radiogroup', 'aria-label': 'Switch user' },
      ...users.map((user) =>
        h(
          'button',
          {
            type: 'button',
            role: 'radio',
            'aria-checked': String(user.id === me.id),
            title: `${user.name}, ${user.title}`,
            class: user.id === me.id ? 'user current' : 'user',
            onclick: () => events.switchUser(user.id),
          },
          h('img', { src: avatarOf(user), alt: '' }),
          h('span', {}, user.name),
        ),
      ),
    ),
    h(
      'div',
      { class: 'user-me' },
      h('img', { src: avatarOf(me), alt: '' }),
      h(
        'div',
        {},
        h('div', { class: 'user-name' }, 'You are ', h('b', {}, me.name)),
        h('div', { class: 'user-title' }, me.title),
      ),
    ),
  );
}

/** The right column on wide screens: who is here, by role. */
export function membersView(session: Session): HTMLElement[] {
  const { state } = session;
  if (state === undefined) return [];
  const bot = state.bot;
  const groups = new Map<string, HTMLElement[]>();
  const put = (group: string, row: HTMLElement) => groups.set(group, [...(groups.get(group) ?? []), row]);
  const sorted = [...state.users].sort((a, b) => a.title.localeCompare(b.title));
  for (const user of sorted) put(`${user.title}s`, memberRow(user.name, user.colour, avatarOf(user), true));
  const picture = avatarOf({ id: bot.user.id, name: bot.user.username, bot: true });
  put('apps', memberRow(bot.user.username, bot.colour, picture, bot.online));
  return [...groups].flatMap(([name, rows]) => [h('h2', {}, `${name} — ${rows.length}`), ...rows]);
}

function memberRow(name: string, colour: string, picture: string, online: boolean): HTMLElement {
  const label = h('span', {}, name);
  label.style.color = colour;
  return h(
    'div',
    { class: online ? 'member' : 'member offline' },
    h(
      'span',
      { class: 'member-picture' },
      h('img', { src: picture, alt: '' }),
      h('i', { class: 'presence' }),
    ),
    label,
  );
}
