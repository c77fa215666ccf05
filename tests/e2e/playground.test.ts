import { Events, MessageFlags, Routes, TextChannel } from 'discord.js';
import type { APIMessage } from 'discord-api-types/v10';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Playground } from '../../src/playground/playground.ts';
import type { TestBot } from '../support/playground-bot.ts';
import { isEphemeral, isThinking, textOf } from '../support/playground-message.ts';
import { type PlaygroundStage, refusal, startStage } from '../support/playground-stage.ts';
import { causeFault, type PlaygroundUser, RefusedByClient } from '../support/playground-user.ts';

let stage: PlaygroundStage;
let playground: Playground;
let bot: TestBot;
let mira: PlaygroundUser;
let tomas: PlaygroundUser;
let olga: PlaygroundUser;
let channel: PlaygroundStage['channel'];

beforeAll(async () => {
  stage = await startStage();
  ({ playground, bot, mira, tomas, olga, channel } = stage);
});

afterAll(() => stage.close());

const file = { name: 'kernel.py', bytes: 'print(1)\n' };

describe('commands on the playground', () => {
  it('reach the bot with their attachment, and its deferred ephemeral reply is edited live', async () => {
    const handle = await mira.slash('/submit', { file, mode: 'test' });
    const done = await handle.waitFor((message) => message.content.startsWith('done'));
    expect(done.content).toBe('done: 9 characters');
    expect(done.embeds[0]?.fields).toEqual([{ name: 'Mode', value: 'test', inline: true }]);
    expect(isEphemeral(done)).toBe(true);
    expect(done.interaction_metadata?.user.username).toBe('mira');
    const said = handle.history().map(({ content }) => content);
    expect(said.slice(0, 3)).toEqual(['', 'queued', 'running']);
    expect((await mira.attachment(done, 'report.txt')).toString()).toBe(`report of ${done.id}`);
  });

  it('show an ephemeral reply to its user alone, in the view, the feed and the channel routes', async () => {
    const handle = await mira.slash('/submit', { file });
    const secret = await handle.waitFor((message) => message.content.startsWith('done'));
    const follower = await tomas.waitForMessage(
      (message) => message.interaction_metadata?.id === handleId(secret),
    );
    expect(textOf(follower)).toContain('submitted');
    for (const other of [tomas, olga]) {
      const seen = await other.visibleMessages();
      expect(seen.some((message) => isEphemeral(message))).toBe(false);
      expect(seen.some((message) => message.id === follower.id)).toBe(true);
    }
    expect((await mira.visibleMessages()).some((message) => message.id === secret.id)).toBe(true);
    const path = Routes.channelMessage(playground.channelId, secret.id);
    expect((await refusal(bot.rest.get(path))).code).toBe(10008);
    const address = secret.attachments[0]?.url ?? '';
    expect((await fetch(address.replace(/hm=.*/, 'hm=guess'))).status).toBe(404);
  });

  it('offer autocomplete from the bot while an option is typed', async () => {
    const choices = await mira.autocomplete('/submit', { focused: 'board', value: 's' });
    expect(choices).toEqual([{ name: 'softmax (open)', value: 'softmax' }]);
  });

  it('resolve subcommands and subcommand groups', async () => {
    expect((await (await mira.slash('/board show', { name: 'x' })).reply()).content).toBe('show x');
    expect((await (await mira.slash('/board archive list')).reply()).content).toBe('archive list');
  });

  it('are refused before they are sent when an option is missing, unknown or out of range', async () => {
    await expect(mira.slash('/submit')).rejects.toThrow('file: this option is required');
    await expect(mira.slash('/submit', { file, mode: 'fast' })).rejects.toThrow(
      'choose one of ranked, test only',
    );
    await expect(mira.slash('/submit', { file, times: 6 })).rejects.toThrow('must be at most 5');
    await expect(mira.slash('/submit', { file, colour: 'red' })).rejects.toThrow('has no option "colour"');
    await expect(mira.slash('/nothing')).rejects.toThrow(RefusedByClient);
  });

  it('that need a permission are hidden from participants and refused to them', async () => {
    const shown = async (user: PlaygroundUser) => (await user.commands()).map(({ path }) => path.join(' '));
    expect(await shown(mira)).not.toContain('admin');
    expect(await shown(olga)).toContain('admin');
    await expect(mira.slash('/admin')).rejects.toThrow('there is no command /admin');
    expect((await (await olga.slash('/admin')).reply()).content).toBe('hello organiser');
  });

  it('that the bot leaves unanswered fail after three seconds', async () => {
    const handle = await mira.slash('/silent');
    expect(handle.failure).toBe('The application did not respond');
  });

  it('answered too late or twice meet the errors that Discord gives', async () => {
    const interaction = new Promise<{ id: string; token: string }>((resolve) => {
      bot.client.once(Events.InteractionCreate, resolve);
    });
    const sent = mira.slash('/board show', { name: 'once' });
    const { id, token } = await interaction;
    await sent;
    const again = bot.rest.post(Routes.interactionCallback(id, token), { body: { type: 5 }, auth: false });
    expect((await refusal(again)).code).toBe(40060);
    const unknown = bot.rest.post(Routes.interactionCallback('1', token), { body: { type: 5 }, auth: false });
    expect((await refusal(unknown)).code).toBe(10062);
  });
});

describe('a deferred reply', () => {
  it('is filled by the first follow-up and stays as private as it was deferred', async () => {
    const interaction = new Promise<{ id: string; token: string }>((resolve) => {
      bot.client.once(Events.InteractionCreate, resolve);
    });
    const sent = mira.slash('/silent');
    const { id, token } = await interaction;
    const deferral = { type: 5, data: { flags: MessageFlags.Ephemeral } };
    await bot.rest.post(Routes.interactionCallback(id, token), { body: deferral, auth: false });
    const thinking = await (await sent).reply();
    expect(isThinking(thinking)).toBe(true);
    const hook = Routes.webhook(playground.applicationId, token);
    const filled = (await bot.rest.post(hook, { body: { content: 'here' }, auth: false })) as APIMessage;
    expect(filled.id).toBe(thinking.id);
    expect((await (await sent).answer()).content).toBe('here');
    expect((await tomas.visibleMessages()).some((message) => message.id === thinking.id)).toBe(false);
    const original = Routes.webhookMessage(playground.applicationId, token, '@original');
    await bot.rest.delete(original, { auth: false });
    await (await sent).disappears();
  });
});

describe('a deferred reply that is gone', () => {
  it('leaves, when it was public and the bot deleted it, a later ephemeral follow-up to be a message of its own, for its user alone', async () => {
    const handle = await mira.slash('/retract');
    await handle.disappears();
    const secret = await mira.waitForMessage(({ content }) => content === 'between us');
    expect(isEphemeral(secret)).toBe(true);
    expect(handle.history().map(({ id }) => id)).not.toContain(secret.id);
    expect(handle.history().every((version) => isThinking(version))).toBe(true);
    expect((await mira.visibleMessages()).some(({ id }) => id === secret.id)).toBe(true);
    for (const other of [tomas, olga]) {
      const seen = await other.visibleMessages();
      expect(seen.some(({ id, content }) => id === secret.id || content === 'between us')).toBe(false);
    }
    const path = Routes.channelMessage(playground.channelId, secret.id);
    expect((await refusal(bot.rest.get(path))).code).toBe(10008);
  });

  it('is still what the follow-up fills when its reader only dismissed it', async () => {
    const interaction = new Promise<{ id: string; token: string }>((resolve) => {
      bot.client.once(Events.InteractionCreate, resolve);
    });
    const sent = mira.slash('/silent');
    const { id, token } = await interaction;
    const deferral = { type: 5, data: { flags: MessageFlags.Ephemeral } };
    await bot.rest.post(Routes.interactionCallback(id, token), { body: deferral, auth: false });
    const thinking = await (await sent).reply();
    await mira.dismiss(thinking);
    const hook = Routes.webhook(playground.applicationId, token);
    const body = { content: 'still private' };
    const filled = (await bot.rest.post(hook, { body, auth: false })) as APIMessage;
    expect(filled.id).toBe(thinking.id);
    expect(isEphemeral(filled)).toBe(true);
    expect((await tomas.visibleMessages()).some(({ content }) => content === 'still private')).toBe(false);
  });
});

describe('components on the playground', () => {
  it('let anybody press a button, which changes the message for everybody', async () => {
    const menu = await (await mira.slash('/menu')).reply();
    const pressed = await (await tomas.press(menu, 'Count')).waitFor(({ content }) => content !== 'choose');
    expect(pressed.id).toBe(menu.id);
    expect(pressed.content).toBe('pressed by tomas');
    await mira.waitForMessage(({ id, content }) => id === menu.id && content === 'pressed by tomas');
  });

  it('answer a button in private when the bot says so', async () => {
    const menu = await (await mira.slash('/menu')).reply();
    const reply = await (await tomas.press(menu, 'form')).reply();
    expect(reply.content).toBe('only for you');
    expect((await mira.visibleMessages()).some(({ id }) => id === reply.id)).toBe(false);
    await tomas.dismiss(reply);
    expect((await tomas.visibleMessages()).some(({ id }) => id === reply.id)).toBe(false);
  });

  it('hand the choices of a select menu to the bot', async () => {
    const menu = await (await mira.slash('/menu')).reply();
    const chosen = await mira.select(menu, ['H100', 'mi300']);
    expect((await chosen.waitFor(({ content }) => content !== 'choose')).content).toBe(
      'chosen: h100 and mi300',
    );
    expect((await chosen.reply()).components).toEqual([]);
  });

  it('refuse disabled buttons, links and choices that are not on the menu', async () => {
    const menu = await (await mira.slash('/menu')).reply();
    await expect(mira.press(menu, 'Off')).rejects.toThrow('off is disabled');
    await expect(mira.press(menu, 'Read')).rejects.toThrow('is a link');
    await expect(mira.select(menu, ['A100'])).rejects.toThrow('the menu has no option A100');
    await expect(mira.select(menu, ['h100', 'b200', 'mi300'])).rejects.toThrow('choose between 1 and 2');
  });

  it('open a form and bring its fields back', async () => {
    const opened = await mira.slash('/feedback');
    expect(opened.modal.title).toBe('Feedback');
    await expect(mira.modal(opened, {})).rejects.toThrow('What?: this field is required');
    const thanks = await (await mira.modal(opened, { text: 'more boards' })).reply();
    expect(thanks.content).toBe('thank you for “more boards”');
  });
});

describe('messages on the playground', () => {
  it('reach a person directly, with files, and nobody else', async () => {
    const handle = await mira.slash('/whisper');
    expect((await handle.answer()).content).toBe('sent');
    const [direct] = await mira.directMessages();
    expect(direct?.content).toBe('psst');
    expect((await mira.attachment(direct as APIMessage, 'note.txt')).toString()).toBe('secret');
    expect(await tomas.directMessages()).toEqual([]);
  });

  it('cannot be sent to a person who blocks them', async () => {
    await causeFault(playground, { kind: 'block-dms', userId: tomas.id, blocked: true });
    expect((await (await tomas.slash('/whisper')).answer()).content).toBe('not sent: 50007');
    await causeFault(playground, { kind: 'block-dms', userId: tomas.id, blocked: false });
    expect((await (await tomas.slash('/whisper')).answer()).content).toBe('sent');
  });

  it('are made once for one enforced nonce, also when the first answer was lost', async () => {
    const route = Routes.channelMessages(playground.channelId);
    const lost = {
      kind: 'respond',
      status: 500,
      times: 1,
      method: 'POST',
      route: '/channels/*/messages',
    } as const;
    await causeFault(playground, { ...lost, afterApplying: true });
    const body = { content: 'announced once', nonce: '42', enforce_nonce: true };
    const first = (await bot.rest.post(route, { body })) as APIMessage;
    const second = (await bot.rest.post(route, { body })) as APIMessage;
    expect(second.id).toBe(first.id);
    const seen = (await mira.visibleMessages()).filter(({ content }) => content === 'announced once');
    expect(seen).toHaveLength(1);
  });

  it('are edited with the attachments that the edit names', async () => {
    const message = await (await channel()).send({
      files: ['a', 'b'].map((name) => ({ attachment: Buffer.from(name), name: `${name}.txt` })),
    });
    const [kept] = message.attachments.values();
    const edited = await message.edit({
      content: 'two files',
      attachments: kept === undefined ? [] : [kept],
      files: [{ attachment: Buffer.from('c'), name: 'c.txt' }],
    });
    expect(edited.attachments.map(({ name }) => name)).toEqual(['a.txt', 'c.txt']);
    expect(edited.editedTimestamp).not.toBeNull();
    await message.delete();
    expect((await mira.visibleMessages()).some(({ id }) => id === message.id)).toBe(false);
  });

  it('mention only whom allowed_mentions lets them', async () => {
    const content = `<@${mira.id}> and <@${tomas.id}>`;
    const message = await (await channel()).send({ content, allowedMentions: { users: [tomas.id] } });
    expect(message.mentions.users.map(({ username }) => username)).toEqual(['tomas']);
    const reply = await message.reply('indeed');
    expect(reply.reference?.messageId).toBe(message.id);
  });

  it('reach the bot when people write them, and threads hold more of them', async () => {
    const heard = new Promise<string>((resolve) => {
      bot.client.once(Events.MessageCreate, (message) => resolve(message.author.username));
    });
    await mira.say('good morning');
    expect(await heard).toBe('mira');
    const thread = await (await channel()).threads.create({ name: 'a duel' });
    await thread.send('en garde');
    const seen = await tomas.in(thread.id).visibleMessages();
    expect(seen.map(({ content }) => content)).toEqual(['en garde']);
    await thread.setArchived(true);
    expect(thread.archived).toBe(true);
  });

  it('in the organisers’ channel stay hidden from participants', async () => {
    const found = await bot.client.channels.fetch(playground.adminChannelId);
    if (!(found instanceof TextChannel)) throw new Error('not a text channel');
    await found.send('box down');
    expect(await olga.in(playground.adminChannelId).visibleMessages()).toHaveLength(1);
    expect(await mira.in(playground.adminChannelId).visibleMessages()).toEqual([]);
    expect((await mira.state()).channels.map(({ name }) => name)).not.toContain('organisers');
    await expect(mira.in(playground.adminChannelId).slash('/menu')).rejects.toThrow('no such channel');
  });
});

function handleId(message: APIMessage): string | undefined {
  expect((message.flags ?? 0) & MessageFlags.Ephemeral).not.toBe(0);
  return message.interaction_metadata?.id;
}
