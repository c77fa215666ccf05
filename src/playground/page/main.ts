import '@skyra/discord-components-core';
import { avatarOf } from './avatars.ts';
import { ChannelView } from './channel-view.ts';
import type { MessageActions } from './component-view.ts';
import { Composer } from './composer.ts';
import { h, icon } from './dom.ts';
import { showModal } from './modal-view.ts';
import { keepRelativeTimesTrue } from './moments.ts';
import { Refused, Session } from './session.ts';
import { channelIcon, membersView, sidebarView } from './sidebar.ts';
import { dressComponents } from './theme.ts';

// The page needs somebody to be before the server has told it who there is.
const firstUser = 'mira';
const userKey = 'hotlap-user';

dressComponents();

const app = document.querySelector('#app') ?? document.body;
const sidebar = h('aside', { class: 'sidebar' });
const header = h('header', { class: 'channel-header' });
const banner = h('div', { class: 'banner', role: 'status', hidden: true });
const typing = h('div', { class: 'typing' });
const members = h('aside', { class: 'members', 'aria-label': 'Members' });
const shade = h('div', { class: 'shade', onclick: () => toggleSidebar(false) });

const actions: MessageActions = {
  press: (message, customId) =>
    act(message.id, { kind: 'press', channelId: message.channel_id, messageId: message.id, customId }),
  select: (message, customId, values) =>
    act(message.id, {
      kind: 'select',
      channelId: message.channel_id,
      messageId: message.id,
      customId,
      values,
    }),
  dismiss: (message) =>
    act(message.id, { kind: 'dismiss', channelId: message.channel_id, messageId: message.id }),
};

let drawnColumns = '';
const channelView = new ChannelView(actions, openChannel);
let session = new Session(rememberedUser(), '', update);
const composer = new Composer(session, () => channelView.followEnd());

app.append(
  sidebar,
  shade,
  h(
    'main',
    { class: 'chat' },
    header,
    banner,
    channelView.element,
    h('div', { class: 'bottom' }, composer.element, typing),
  ),
  members,
);
keepRelativeTimesTrue();
setInterval(drawTyping, 1000);
addEventListener('keydown', (event) => {
  // Typing anywhere goes to the composer, as in Discord.
  const target = event.target as HTMLElement;
  const busy = target.closest('input, textarea, select, button, dialog, .select') !== null;
  if (!busy && event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) composer.focus();
});

function rememberedUser(): string {
  return new URLSearchParams(location.search).get('user') ?? sessionStorage.getItem(userKey) ?? firstUser;
}

function switchUser(userId: string): void {
  if (userId === session.userId) return;
  sessionStorage.setItem(userKey, userId);
  history.replaceState(null, '', location.pathname);
  const { channelId } = session;
  session.close();
  session = new Session(userId, channelId, update);
}

function openChannel(channelId: string): void {
  session.openChannel(channelId);
  toggleSidebar(false);
  composer.focus();
}

function update(): void {
  // A session that was just replaced may still have something to say.
  if (session === undefined || session.state === undefined) return;
  // Drawing the columns anew would take the keyboard focus from their buttons, so they wait for a reason.
  const { me, channels, bot } = session.state;
  const columns = JSON.stringify([me, channels, bot.online, session.channelId, [...session.unread]]);
  if (columns !== drawnColumns) {
    drawnColumns = columns;
    sidebar.replaceChildren(...sidebarView(session, { openChannel, switchUser }));
    members.replaceChildren(...membersView(session));
  }
  drawHeader();
  channelView.draw(session);
  composer.follow(session);
  drawTyping();
}

function drawHeader(): void {
  const { state } = session;
  const channel = state?.channels.find(({ id }) => id === session.channelId);
  if (state === undefined || channel === undefined) return;
  // New posts are the bot's.
  composer.element.hidden = channel.kind === 'forum';
  document.title = `${channel.kind === 'dm' ? '@' : '#'}${channel.name} | Hotlap playground`;
  header.replaceChildren(
    h(
      'button',
      {
        type: 'button',
        class: 'menu-button',
        'aria-label': 'Channels and users',
        onclick: () => toggleSidebar(),
      },
      icon('menu'),
    ),
    channelIcon(channel),
    h('h2', {}, channel.name),
    channel.topic === '' ? '' : h('p', {}, channel.topic),
    h(
      'button',
      {
        type: 'button',
        class: 'header-me',
        title: `You are ${state.me.name}`,
        onclick: () => toggleSidebar(),
      },
      h('img', { src: avatarOf(state.me), alt: '' }),
      h('span', {}, state.me.name),
    ),
  );
  const { online, user } = state.bot;
  const problem = session.connected
    ? online
      ? ''
      : `${user.username} is not connected to this playground yet.`
    : 'The playground does not answer. Trying again…';
  banner.textContent = problem;
  banner.hidden = problem === '';
}

function drawTyping(): void {
  const until = session.typingUntil.get(session.channelId) ?? 0;
  const name = session.state?.bot.user.username ?? '';
  typing.textContent = until > Date.now() ? `${name} is typing…` : '';
}

function toggleSidebar(open?: boolean): void {
  document.body.classList.toggle('sidebar-open', open);
}

async function act(messageId: string, action: Parameters<Session['act']>[0]): Promise<void> {
  const mine = session;
  mine.failed.delete(messageId);
  try {
    const outcome = await mine.act(action);
    if (outcome.state === 'failed') mine.failed.set(messageId, outcome.error);
    if (outcome.state === 'answered' && outcome.modal !== undefined && mine === session) {
      showModal(mine, outcome.interactionId, outcome.modal);
    }
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    mine.failed.set(messageId, error.message);
  }
  for (const button of document.querySelectorAll(`[data-message="${messageId}"] .busy`))
    button.classList.remove('busy');
  if (mine === session) update();
}
