/**
 * A stand-in for the part of Discord that the bot uses, and a web page to be a person on it.
 *
 *   bot   --REST /api/v10, gateway ws /gateway-->  world  <--/play, ws /play/live--  page and tests
 *
 * One HTTP server on one port carries all of it, with files at /attachments. Everything is in memory; ids of people,
 * guild and channels are fixed, so that a bot with a database finds the same people after a restart.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Faults } from './faults.ts';
import { FileStore } from './files.ts';
import { Gateway } from './gateway.ts';
import { Interactions } from './interactions.ts';
import { isOwnRequest } from './own-request.ts';
import { PageFiles } from './page-files.ts';
import { PlayActions } from './play-actions.ts';
import { handlePlay } from './play-api.ts';
import { PlayLive } from './play-live.ts';
import { RestApi } from './rest-api.ts';
import { channelRoutes } from './rest-channels.ts';
import { commandRoutes } from './rest-commands.ts';
import { guildRoutes } from './rest-guild.ts';
import { interactionRoutes } from './rest-interactions.ts';
import { RestRouter } from './rest-router.ts';
import { sendJson } from './send.ts';
import { World } from './world.ts';
import {
  adminRoleId,
  applicationId,
  botUser,
  contestChannelId,
  forumChannelId,
  guildId,
  organisersChannelId,
  roleIds,
} from './world-seed.ts';

export interface PlaygroundOptions {
  /** 0 picks a free one. */
  port: number;
  /** 127.0.0.1 without it. */
  host?: string;
  log?: (message: string) => void;
}

export interface Playground {
  /** The page. */
  url: string;
  /** For discord.js, as `rest.api`. */
  restApi: string;
  /** The bot token that this stand-in accepts, new at every start. */
  token: string;
  applicationId: string;
  guildId: string;
  channelId: string;
  /** Seen by organisers and the bot only. */
  adminChannelId: string;
  forumChannelId: string;
  adminRoleId: string;
  /** Admin's among them. */
  roleIds: Record<'admin' | 'creator' | 'judge' | 'participant', string>;
  users: { id: string; name: string; roleIds: string[] }[];
  close(): Promise<void>;
}

/** Starts the stand-in and resolves when it listens. @throws when the port is taken */
export async function startPlayground(options: PlaygroundOptions): Promise<Playground> {
  const host = options.host ?? '127.0.0.1';
  const log = options.log ?? (() => {});
  const token = `${Buffer.from(applicationId).toString('base64url')}.play.${randomBytes(20).toString('base64url')}`;
  let origin = '';

  const world = new World(botUser('Hotlap'));
  const files = new FileStore(() => origin);
  const gatewayUrl = () => `${origin.replace('http', 'ws')}/gateway`;
  const gateway = new Gateway(world, token, gatewayUrl);
  const interactions = new Interactions(world, files);
  const actions = new PlayActions(world, files, interactions, gateway);
  const faults = new Faults();
  const live = new PlayLive(world);
  const page = new PageFiles();
  const router = new RestRouter();
  router.add(guildRoutes(world, gatewayUrl));
  router.add(commandRoutes(world));
  router.add(channelRoutes(world, files));
  router.add(interactionRoutes(world, interactions));
  const api = new RestApi(router, faults, token, log);

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', origin);
    if (url.pathname.startsWith('/api/')) return api.handle(request, response, url);
    if (!isOwnRequest(request, host)) return sendJson(response, 403, { error: 'not from this page' });
    if (url.pathname.startsWith('/play/')) {
      return handlePlay({ world, interactions, gateway, actions, faults }, request, response, url);
    }
    if (/^\/(ephemeral-)?attachments\//.test(url.pathname)) return sendFile(files, response, url);
    const file = await page.find(url.pathname);
    if (file === undefined) return sendJson(response, 404, { error: 'not found' });
    response.writeHead(200, {
      'content-type': file.type,
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      // Lit writes style attributes, hence unsafe-inline for styles; scripts come from here alone.
      'content-security-policy':
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: https:; frame-ancestors 'none'",
    });
    response.end(file.body);
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      log(
        `${request.method} ${request.url} broke the playground: ${error instanceof Error ? error.stack : error}`,
      );
      if (!response.headersSent) sendJson(response, 500, { message: '500: Internal Server Error', code: 0 });
    });
  });
  server.on('upgrade', (request, socket, head) => {
    const url = new URL(request.url ?? '/', origin);
    const person = world.findPerson(url.searchParams.get('user') ?? '');
    if (url.pathname === '/gateway' || url.pathname === '/gateway/') gateway.upgrade(request, socket, head);
    else if (url.pathname === '/play/live' && person !== undefined && isOwnRequest(request, host)) {
      live.upgrade(request, socket, head, person.user.id);
    } else socket.destroy();
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  origin = `http://${host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host}:${port}`;

  return {
    url: `${origin}/`,
    restApi: `${origin}/api`,
    token,
    applicationId,
    guildId,
    channelId: contestChannelId,
    adminChannelId: organisersChannelId,
    forumChannelId,
    adminRoleId,
    roleIds,
    users: [...world.people.values()].map(({ user, roleIds }) => ({
      id: user.id,
      name: user.username,
      roleIds,
    })),
    close: async () => {
      interactions.close();
      live.close();
      gateway.close();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

// Files come from strangers: never rendered as a page of this origin, whatever they contain.
function sendFile(files: FileStore, response: ServerResponse, url: URL): void {
  const file = files.find(url.pathname.split('/')[3] ?? '', url.searchParams.get('hm'));
  if (file === undefined) {
    sendJson(response, 404, { error: 'not found' });
    return;
  }
  const { attachment, bytes } = file;
  const type = attachment.content_type ?? 'application/octet-stream';
  const isPicture = type.startsWith('image/') && !type.includes('svg');
  response.writeHead(200, {
    'content-type': type,
    'content-length': bytes.length,
    'content-disposition': `${isPicture ? 'inline' : 'attachment'}; filename="${attachment.filename}"`,
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
  });
  response.end(bytes);
}
