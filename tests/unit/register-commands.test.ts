/** Against an HTTP server that keeps commands as Discord does: with ids of its own, defaults filled in or left out. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type RESTPostAPIChatInputApplicationCommandsJSONBody, SlashCommandBuilder } from 'discord.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.ts';
import { registerCommands } from '../../src/discord/register.ts';
import { quietLog } from '../support/quiet-log.ts';

type Declaration = RESTPostAPIChatInputApplicationCommandsJSONBody;

let server: Server;
let apiUrl: string;
let kept: Record<string, unknown>[] = [];
let writes = 0;

/** What Discord adds to a command that it was given. */
function asDiscordKeeps(command: Record<string, unknown>, index: number): Record<string, unknown> {
  const options = (command.options as Record<string, unknown>[] | undefined)?.map((option) => {
    const { required, autocomplete, ...rest } = option;
    return { ...rest, ...(required ? { required } : {}), ...(autocomplete ? { autocomplete } : {}) };
  });
  return {
    id: String(1000 + index),
    application_id: '1',
    guild_id: '2',
    version: '3',
    type: 1,
    default_member_permissions: null,
    nsfw: false,
    dm_permission: null,
    ...command,
    ...(options ? { options } : {}),
  };
}

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      if (request.method === 'PUT') {
        writes++;
        // In an order of its own.
        kept = (JSON.parse(body) as Record<string, unknown>[]).map(asDiscordKeeps).toReversed();
      }
      response.setHeader('content-type', 'application/json').end(JSON.stringify(kept));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const register = (declarations: Declaration[]) =>
  registerCommands({ apiUrl, token: 'token', applicationId: '1', guildId: '2' }, declarations, quietLog);

const ours = () => commands.map((command) => command.data);

describe('slash commands', () => {
  it('are registered once, and not again while they are the same', async () => {
    expect(await register(ours())).toBe(true);
    expect(kept).toHaveLength(ours().length);
    expect(await register(ours())).toBe(false);
    expect(await register(ours().toReversed())).toBe(false);
    expect(writes).toBe(1);
  });

  it.each<[string, (list: Declaration[]) => Declaration[]]>([
    ['a command is gone', (list) => list.slice(1)],
    [
      'a command is new',
      (list) => [...list, new SlashCommandBuilder().setName('ping').setDescription('Answers.').toJSON()],
    ],
    [
      'a description changed',
      (list) => list.map((item, i) => (i === 0 ? { ...item, description: 'Other words.' } : item)),
    ],
    [
      'permissions changed',
      (list) => list.map((item, i) => (i === 0 ? { ...item, default_member_permissions: '32' } : item)),
    ],
    [
      'the options changed their order',
      (list) => list.map((item) => ({ ...item, options: (item.options ?? []).toReversed() })),
    ],
    ['options are gone', (list) => list.map((item) => ({ ...item, options: [] }))],
  ])('are registered again when %s', async (_, change) => {
    await register(ours());
    const before = writes;
    expect(await register(change(structuredClone(ours())))).toBe(true);
    expect(await register(change(structuredClone(ours())))).toBe(false);
    expect(writes).toBe(before + 1);
    expect(await register(ours())).toBe(true);
  });
});
