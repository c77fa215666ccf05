/**
 * Discord's markdown to DOM nodes. Text only ever becomes text nodes and attributes set by name, so a message cannot
 * bring markup of its own.
 *
 * Two passes: fenced code and line-wise blocks (headings, quotes, lists, small print) first, then inline marks, which
 * may nest.
 */
import type { PlayState } from '../play-protocol.ts';
import { ansiNodes } from './ansi.ts';
import { h } from './dom.ts';
import { timestampText } from './moments.ts';

type Names = Pick<PlayState, 'users' | 'roles' | 'channels' | 'bot' | 'me'>;

const fence = /```(?:([\w+#-]*)\n)?([\s\S]+?)```/g;

/** Renders a message's content or an embed's text. */
export function markdown(text: string, names: Names): Node[] {
  const nodes: Node[] = [];
  let from = 0;
  for (const match of text.matchAll(fence)) {
    nodes.push(...blocks(text.slice(from, match.index), names));
    nodes.push(codeBlock(match[1] ?? '', match[2] ?? ''));
    from = match.index + match[0].length;
    // The line break right after a block belongs to the block.
    if (text[from] === '\n') from += 1;
  }
  nodes.push(...blocks(text.slice(from), names));
  return nodes;
}

function codeBlock(language: string, code: string): HTMLElement {
  const body = code.replace(/^\n|\n$/g, '');
  return h('pre', { class: 'md-pre' }, h('code', {}, ...(language === 'ansi' ? ansiNodes(body) : [body])));
}

interface LineRule {
  pattern: RegExp;
  wrap: (inner: Node[], match: RegExpExecArray) => HTMLElement;
}

const lineRules: LineRule[] = [
  {
    pattern: /^(#{1,3}) +(.+)$/,
    wrap: (inner, match) => h(`h${(match[1] ?? '#').length}`, { class: 'md-h' }, ...inner),
  },
  { pattern: /^(-#) +(.+)$/, wrap: (inner) => h('small', { class: 'md-small' }, ...inner) },
  { pattern: /^(>) (.*)$/, wrap: (inner) => h('blockquote', { class: 'md-quote' }, ...inner) },
  {
    pattern: /^(\s*[-*]|\s*\d+\.) +(.+)$/,
    wrap: (inner, match) => {
      const mark = (match[1] ?? '').trim();
      const depth = (match[1] ?? '').length - mark.length > 1 ? 'md-item md-item-inner' : 'md-item';
      return h(
        'div',
        { class: depth },
        h('span', { class: 'md-bullet' }, /\d/.test(mark) ? mark : '•'),
        h('span', {}, ...inner),
      );
    },
  },
];

function blocks(text: string, names: Names): Node[] {
  const nodes: Node[] = [];
  let plain: string[] = [];
  const flush = () => {
    if (plain.length > 0) nodes.push(h('span', { class: 'md-text' }, ...inline(plain.join('\n'), names)));
    plain = [];
  };
  for (const line of text === '' ? [] : text.split('\n')) {
    const rule = lineRules.find(({ pattern }) => pattern.test(line));
    const match = rule?.pattern.exec(line);
    if (rule === undefined || !match) {
      plain.push(line);
      continue;
    }
    flush();
    nodes.push(rule.wrap(inline(match[2] ?? '', names), match));
  }
  flush();
  return nodes;
}

type InlineRule = [pattern: RegExp, make: (match: RegExpExecArray, names: Names) => Node];

const wrapped =
  (tag: string, className?: string) =>
  (match: RegExpExecArray, names: Names): Node =>
    h(tag, { class: className }, ...inline(match[1] ?? '', names));

const inlineRules: InlineRule[] = [
  [/\\([^a-z0-9\s])/i, (match) => document.createTextNode(match[1] ?? '')],
  [/``(.+?)``|`([^`]+)`/s, (match) => h('code', { class: 'md-code' }, (match[1] ?? match[2] ?? '').trim())],
  [/\|\|((?:\\.|[^\\])+?)\|\|/s, wrapped('discord-spoiler')],
  [
    /\*\*\*((?:\\.|[^\\])+?)\*\*\*/s,
    (match, names) => h('strong', {}, h('em', {}, ...inline(match[1] ?? '', names))),
  ],
  [/\*\*((?:\\.|[^\\])+?)\*\*/s, wrapped('strong')],
  [/__((?:\\.|[^\\])+?)__/s, wrapped('u')],
  [/~~((?:\\.|[^\\])+?)~~/s, wrapped('s')],
  [/\*(?=\S)(.+?)(?<=\S)\*/s, wrapped('em')],
  [/(?<!\w)_(?=\S)(.+?)(?<=\S)_(?!\w)/s, wrapped('em')],
  [
    /\[([^\]\n]+)\]\(<?(https?:\/\/[^\s)>]+)>?\)/,
    (match, names) => link(match[2] ?? '', inline(match[1] ?? '', names)),
  ],
  [/<(https?:\/\/[^\s>]+)>/, (match) => link(match[1] ?? '')],
  [/(https?:\/\/[^\s<]+[^\s<.,:;"')\]!?])/, (match) => link(match[1] ?? '')],
  [/<@!?(\d+)>/, (match, names) => userMention(match[1] ?? '', names)],
  [/<@&(\d+)>/, (match, names) => roleMention(match[1] ?? '', names)],
  [/<#(\d+)>/, (match, names) => channelMention(match[1] ?? '', names)],
  [/<\/([^:>]+):\d+>/, (match) => h('discord-mention', { type: 'slash' }, match[1] ?? '')],
  [/<t:(-?\d{1,13})(?::([tTdDfFR]))?>/, (match) => timestamp(Number(match[1]), match[2] ?? 'f')],
  [/<a?:(\w+):\d+>/, (match) => document.createTextNode(`:${match[1]}:`)],
  [/@(everyone|here)\b/, (match) => h('discord-mention', { type: 'role' }, match[1] ?? '')],
];

function inline(text: string, names: Names): Node[] {
  let best: { match: RegExpExecArray; make: InlineRule[1] } | undefined;
  for (const [pattern, make] of inlineRules) {
    const match = pattern.exec(text);
    if (match !== null && (best === undefined || match.index < best.match.index)) best = { match, make };
  }
  if (best === undefined) return text === '' ? [] : [document.createTextNode(text)];
  const { match, make } = best;
  const before = text.slice(0, match.index);
  return [
    ...(before === '' ? [] : [document.createTextNode(before)]),
    make(match, names),
    ...inline(text.slice(match.index + match[0].length), names),
  ];
}

function link(address: string, inside?: Node[]): Node {
  return h('a', { href: address, target: '_blank', rel: 'noopener noreferrer' }, ...(inside ?? [address]));
}

function userMention(id: string, names: Names): Node {
  const user = names.users.find((one) => one.id === id);
  const name = user?.name ?? (id === names.bot.user.id ? names.bot.user.username : 'unknown-user');
  return h('discord-mention', { type: 'user', highlight: id === names.me.id }, name);
}

function roleMention(id: string, names: Names): Node {
  const role = names.roles.find((one) => one.id === id);
  return h('discord-mention', { type: 'role', color: role?.colour }, role?.name ?? 'unknown-role');
}

function channelMention(id: string, names: Names): Node {
  const channel = names.channels.find((one) => one.id === id);
  const type = channel?.kind === 'thread' ? 'thread' : 'channel';
  return h('discord-mention', { type, 'data-channel': channel?.id }, channel?.name ?? 'unknown');
}

function timestamp(seconds: number, style: string): Node {
  const relative = style === 'R' ? { 'data-relative': seconds } : {};
  const title = timestampText(seconds, 'F');
  return h('time', { class: 'md-time', title, ...relative }, timestampText(seconds, style));
}
