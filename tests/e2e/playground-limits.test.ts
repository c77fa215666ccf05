import { Events, REST, Routes } from 'discord.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Playground, startPlayground } from '../../src/playground/playground.ts';
import type { TestBot } from '../support/playground-bot.ts';
import { type PlaygroundStage, refusal, startStage } from '../support/playground-stage.ts';
import { causeFault, type PlaygroundUser, playgroundUser } from '../support/playground-user.ts';

let stage: PlaygroundStage;
let playground: Playground;
let bot: TestBot;
let mira: PlaygroundUser;
let channel: PlaygroundStage['channel'];

beforeAll(async () => {
  stage = await startStage();
  ({ playground, bot, mira, channel } = stage);
});

afterAll(() => stage.close());

const file = { name: 'kernel.py', bytes: 'print(1)\n' };

describe('the limits of Discord', () => {
  const field = (value: string) => ({ name: 'n', value });
  const cases: [what: string, body: object, where: string][] = [
    ['2,001 characters', { content: 'x'.repeat(2001) }, 'content'],
    ['11 embeds', { embeds: Array.from({ length: 11 }, () => ({ title: 't' })) }, 'embeds'],
    ['26 fields', { embeds: [{ fields: Array.from({ length: 26 }, () => field('v')) }] }, 'fields'],
    ['a field of 1,025 characters', { embeds: [{ fields: [field('v'.repeat(1025))] }] }, 'value'],
    ['a field with an empty value', { embeds: [{ fields: [field('')] }] }, 'value'],
    ['a title of 257 characters', { embeds: [{ title: 't'.repeat(257) }] }, 'title'],
    ['a description of 4,097 characters', { embeds: [{ description: 'd'.repeat(4097) }] }, 'description'],
    [
      'embeds of 6,001 characters in all',
      { embeds: [{ description: 'd'.repeat(4000) }, { description: 'd'.repeat(2001) }] },
      'embeds',
    ],
    [
      '6 rows',
      { content: 'c', components: Array.from({ length: 6 }, (_, at) => row(button(`b${at}`))) },
      'components',
    ],
    [
      'a custom id of 101 characters',
      { content: 'c', components: [row(button('i'.repeat(101)))] },
      'custom_id',
    ],
    ['the same custom id twice', { content: 'c', components: [row(button('i'), button('i'))] }, 'custom_id'],
    ['a label of 81 characters', { content: 'c', components: [row(button('i', 'l'.repeat(81)))] }, 'label'],
    ['a menu of 26 options', { content: 'c', components: [row(menu(26))] }, 'options'],
  ];

  it.each(cases)('refuse %s with 50035 and its place', async (_what, body, where) => {
    const error = await refusal(bot.rest.post(Routes.channelMessages(playground.channelId), { body }));
    expect(error.code).toBe(50035);
    expect(error.status).toBe(400);
    expect(JSON.stringify(error.rawError)).toContain(`"${where}"`);
  });

  it('refuse an empty message with 50006 and a file over 10 MB with 40005', async () => {
    const route = Routes.channelMessages(playground.channelId);
    expect((await refusal(bot.rest.post(route, { body: {} }))).code).toBe(50006);
    const files = [{ name: 'big.bin', data: Buffer.alloc(10 * 1024 * 1024 + 1) }];
    expect((await refusal(bot.rest.post(route, { body: {}, files }))).code).toBe(40005);
  });

  it('refuse a command with a bad name or with optional before required options', async () => {
    const route = Routes.applicationCommands(playground.applicationId);
    const bad = [
      { name: 'Bad Name', description: 'd' },
      { name: 'fine', description: 'd', options: [option('a', false), option('b', true)] },
    ];
    const error = await refusal(bot.rest.put(route, { body: bad }));
    expect(error.code).toBe(50035);
    expect(JSON.stringify(error.rawError)).toContain('APPLICATION_COMMAND_INVALID_NAME');
    expect(JSON.stringify(error.rawError)).toContain('APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID');
  });

  it('refuse a wrong bot token with 401', async () => {
    const stranger = new REST({ api: playground.restApi, version: '10' }).setToken('wrong');
    expect((await refusal(stranger.get(Routes.user('@me')))).status).toBe(401);
  });
});

describe('bodies that are no object', () => {
  const bodies = ['null', '7', '"text"', 'true', '{', '[null]'];
  const send = (address: string, method: string, body: string) =>
    fetch(address, {
      method,
      body,
      headers: { 'content-type': 'application/json', authorization: `Bot ${playground.token}` },
    });

  it.each(['act', 'faults'])('are refused by /play/%s with a sentence', async (route) => {
    const address = `${playground.url}play/${route}?user=${mira.id}`;
    const unusual = ['{}', '[]', '{"kind":"command"}', '{"kind":"respond","times":"x"}', '{"kind":7}'];
    for (const body of [...bodies, ...unusual]) {
      const answer = await send(address, 'POST', body);
      expect([body, answer.status]).toEqual([body, 400]);
      const { error } = (await answer.json()) as { error: string };
      expect(error).toMatch(/\w+ \w+ \w+/);
    }
    const form = await fetch(address, { method: 'POST', headers: { 'content-type': 'multipart/form-data' } });
    expect(form.status).toBe(400);
  });

  it('are refused by the bot’s routes and change nothing', async () => {
    const { applicationId, guildId, channelId } = playground;
    const message = await (await channel()).send('as it was');
    const before = await mira.commands();
    const interaction = new Promise<{ id: string; token: string }>((resolve) => {
      bot.client.once(Events.InteractionCreate, resolve);
    });
    const sent = mira.slash('/silent');
    const { id, token } = await interaction;
    const callback = Routes.interactionCallback(id, token);
    const routes: [method: string, path: string][] = [
      ['POST', Routes.channelMessages(channelId)],
      ['PATCH', Routes.channelMessage(channelId, message.id)],
      ['PATCH', Routes.channel(channelId)],
      ['POST', Routes.threads(channelId)],
      ['POST', Routes.threads(channelId, message.id)],
      ['POST', Routes.userChannels()],
      ['POST', Routes.guildChannels(guildId)],
      ['PUT', Routes.applicationGuildCommands(applicationId, guildId)],
      ['POST', Routes.applicationGuildCommands(applicationId, guildId)],
      ['PUT', Routes.applicationCommands(applicationId)],
      ['POST', callback],
      ['POST', `${callback}?with_response=true`],
    ];
    const refuses = async (method: string, path: string) => {
      for (const body of bodies.filter((one) => one !== '[null]')) {
        const answer = await send(`${playground.restApi}/v10${path}`, method, body);
        expect([method, path, body, answer.status]).toEqual([method, path, body, 400]);
        expect(((await answer.json()) as { message: string }).message).not.toBe('');
      }
    };
    for (const [method, path] of routes) await refuses(method, path);
    await bot.rest.post(callback, { body: { type: 5 }, auth: false });
    await sent;
    await refuses('POST', Routes.webhook(applicationId, token));
    await refuses('PATCH', Routes.webhookMessage(applicationId, token));
    expect(await mira.commands()).toEqual(before);
    const seen = await mira.visibleMessages();
    expect(seen.find((one) => one.id === message.id)?.content).toBe('as it was');
  });
});

describe('faults on request', () => {
  it('are retried by discord.js: two 500s, then a 429', async () => {
    const route = '/channels/*/messages';
    await causeFault(playground, { kind: 'respond', status: 500, times: 2, method: 'POST', route });
    expect((await (await channel()).send('after 500')).content).toBe('after 500');
    await causeFault(playground, { kind: 'respond', status: 429, times: 1, method: 'POST', route });
    expect((await (await channel()).send('after 429')).content).toBe('after 429');
  });

  it('let an interaction token expire, after which only the channel is left', async () => {
    const handle = await mira.slash('/submit', { file });
    await handle.waitFor((message) => message.content.startsWith('done'));
    const interaction = new Promise<{ token: string }>((resolve) => {
      bot.client.once(Events.InteractionCreate, resolve);
    });
    await mira.slash('/board show', { name: 'late' });
    const { token } = await interaction;
    await causeFault(playground, { kind: 'expire-tokens' });
    const route = Routes.webhookMessage(playground.applicationId, token);
    const edit = bot.rest.patch(route, { body: { content: 'too late' }, auth: false });
    expect((await refusal(edit)).code).toBe(50027);
    expect((await (await channel()).send('by the channel then')).content).toBe('by the channel then');
  });

  it('drop the gateway, and discord.js resumes without missing an interaction', async () => {
    const resumed = new Promise((resolve) => bot.client.once(Events.ShardResume, resolve));
    await causeFault(playground, { kind: 'drop-gateway' });
    const handle = await mira.slash('/board show', { name: 'meanwhile' });
    expect((await handle.reply()).content).toBe('show meanwhile');
    await resumed;
  });

  it('drop the session too, and discord.js identifies anew', async () => {
    const ready = new Promise((resolve) => bot.client.once(Events.ShardReady, resolve));
    await causeFault(playground, { kind: 'drop-gateway', resumable: false });
    await ready;
    expect((await (await mira.slash('/board archive list')).reply()).content).toBe('archive list');
  });
});

describe('the page', () => {
  it('is served with its script and style, and refuses requests from other sites', async () => {
    const page = await fetch(playground.url);
    expect(await page.text()).toContain('main.js');
    const script = await fetch(`${playground.url}main.js`);
    expect(script.status).toBe(200);
    expect((await script.text()).length).toBeGreaterThan(100_000);
    const foreign = { headers: { origin: 'https://evil.example' } };
    expect((await fetch(`${playground.url}play/state?user=${mira.id}`, foreign)).status).toBe(403);
  });

  it('says that the application did not respond when no bot is connected', async () => {
    const empty = await startPlayground({ port: 0 });
    const user = playgroundUser(empty, 'mira');
    const lonely = new REST({ api: empty.restApi, version: '10' }).setToken(empty.token);
    const body = { name: 'ping', description: 'Ping' };
    await lonely.post(Routes.applicationCommands(empty.applicationId), { body });
    expect((await user.slash('/ping')).failure).toBe('The application did not respond');
    user.close();
    await empty.close();
  });
});

function row(...components: object[]): object {
  return { type: 1, components };
}

function button(customId: string, label = 'label'): object {
  return { type: 2, style: 1, custom_id: customId, label };
}

function menu(size: number): object {
  const options = Array.from({ length: size }, (_, at) => ({ label: `l${at}`, value: `v${at}` }));
  return { type: 3, custom_id: 'm', options };
}

function option(name: string, required: boolean): object {
  return { name, description: 'd', type: 3, required };
}
