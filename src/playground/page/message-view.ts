import type { APIMessage } from 'discord-api-types/v10';
import { attachmentView } from './attachment-view.ts';
import { avatarOf } from './avatars.ts';
import { componentRows, type MessageActions } from './component-view.ts';
import { h } from './dom.ts';
import { embedView } from './embed-view.ts';
import { markdown } from './markdown.ts';
import { messageTime } from './moments.ts';
import type { Notice, Session } from './session.ts';

const ephemeralFlag = 1 << 6;
const loadingFlag = 1 << 7;
const groupWithinMs = 7 * 60_000;

/** One message in Discord's look. `before` is the message above it: a follower of the same author gets no head. */
export function messageView(
  session: Session,
  message: APIMessage,
  before: APIMessage | undefined,
  actions: MessageActions,
): HTMLElement {
  const { state } = session;
  if (state === undefined) return h('div');
  const flags = message.flags ?? 0;
  const ephemeral = (flags & ephemeralFlag) !== 0;
  const element = h('discord-message', {
    ...authorAttributes(session, message.author),
    timestamp: messageTime(message.timestamp),
    ephemeral,
    highlight: message.mentions.some(({ id }) => id === session.userId) || message.mention_everyone,
    'message-body-only': follows(message, before),
    'data-message': message.id,
  });
  if (ephemeral) Object.assign(element, { dismissMessageClicked: () => actions.dismiss(message) });
  const head = commandHead(session, message) ?? replyHead(session, message);
  if (head !== undefined) element.append(head);
  if ((flags & loadingFlag) !== 0) {
    element.append(
      h('span', { class: 'thinking' }, ...thinkingDots(), `${state.bot.user.username} is thinking…`),
    );
    return element;
  }
  if (message.content !== '') {
    element.append(h('div', { class: 'md' }, ...markdown(message.content, state), editedMark(message)));
  }
  for (const embed of message.embeds) element.append(embedView(embed, state));
  const failure = session.failed.get(message.id);
  const rows = componentRows(message, actions);
  if (message.attachments.length > 0 || rows.length > 0 || failure !== undefined) {
    const files = h(
      'discord-attachments',
      { slot: 'attachments' },
      ...message.attachments.map(attachmentView),
    );
    const controls = h(
      'discord-attachments',
      { slot: 'components' },
      ...rows,
      failure === undefined ? undefined : h('div', { class: 'failure' }, failure),
    );
    if (message.attachments.length > 0) element.append(files);
    element.append(controls);
  }
  return element;
}

/** A command under way, or one that the bot left unanswered; only its own user has it. */
export function noticeView(session: Session, notice: Notice): HTMLElement {
  const { state } = session;
  if (state === undefined) return h('div');
  const failed = notice.error !== undefined;
  const element = h('discord-message', {
    ...authorAttributes(session, state.bot.user),
    timestamp: messageTime(new Date(notice.sentAtMs).toISOString()),
    ephemeral: failed,
  });
  if (failed) Object.assign(element, { dismissMessageClicked: () => session.dropNotice(notice) });
  element.append(usedCommand(state.me, notice.command));
  element.append(
    failed
      ? h('span', { class: 'failure' }, notice.error)
      : h('span', { class: 'thinking' }, ...thinkingDots(), 'Sending command…'),
  );
  return element;
}

function authorAttributes(session: Session, author: APIMessage['author']): Record<string, string | boolean> {
  const { state } = session;
  const person = state?.users.find(({ id }) => id === author.id);
  const bot = author.bot === true;
  return {
    author: author.global_name ?? author.username,
    avatar: avatarOf({ id: author.id, name: author.username, bot }),
    bot,
    'role-color': person?.colour ?? (bot ? (state?.bot.colour ?? '') : '#dbdee1'),
  };
}

// The component's own mark stands on a line of its own above the embeds when a message has no text.
function editedMark({ edited_timestamp: editedAt }: APIMessage): HTMLElement | undefined {
  if (editedAt === null) return undefined;
  return h('span', { class: 'edited', title: messageTime(editedAt) }, '(edited)');
}

function follows(message: APIMessage, before: APIMessage | undefined): boolean {
  if (before === undefined || before.author.id !== message.author.id) return false;
  const sameReader = ((before.flags ?? 0) & ephemeralFlag) === ((message.flags ?? 0) & ephemeralFlag);
  const plain = message.interaction === undefined && message.referenced_message === undefined;
  return sameReader && plain && Date.parse(message.timestamp) - Date.parse(before.timestamp) < groupWithinMs;
}

function commandHead(session: Session, message: APIMessage): HTMLElement | undefined {
  const { interaction } = message;
  if (interaction === undefined) return undefined;
  const user = session.state?.users.find(({ id }) => id === interaction.user.id);
  return user === undefined ? undefined : usedCommand(user, interaction.name);
}

function usedCommand(user: { id: string; name: string; colour: string }, command: string): HTMLElement {
  return h('discord-command', {
    slot: 'reply',
    type: 'slash_command',
    author: user.name,
    avatar: avatarOf(user),
    'role-color': user.colour,
    command,
  });
}

function replyHead(session: Session, message: APIMessage): HTMLElement | undefined {
  const target = message.referenced_message;
  if (target === undefined || target === null) return undefined;
  const { bot, ...author } = authorAttributes(session, target.author);
  const text = target.content === '' ? 'Click to see attachment' : target.content.slice(0, 120);
  return h('discord-reply', { slot: 'reply', ...author, bot }, text);
}

function thinkingDots(): HTMLElement[] {
  return [h('span', { class: 'dots', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'))];
}
