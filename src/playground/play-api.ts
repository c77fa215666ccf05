import type { IncomingMessage, ServerResponse } from 'node:http';
import { listRunnable, PlayRefusal } from './command-options.ts';
import { DiscordError } from './discord-error.ts';
import type { Faults } from './faults.ts';
import type { Gateway } from './gateway.ts';
import type { Interactions } from './interactions.ts';
import type { PlayActions } from './play-actions.ts';
import { parseAction, parseFault } from './play-body.ts';
import type { PlayCommand, PlayFault } from './play-protocol.ts';
import { viewOf } from './play-view.ts';
import { readBody } from './request-body.ts';
import { sendJson } from './send.ts';
import type { World } from './world.ts';

interface Parts {
  world: World;
  interactions: Interactions;
  gateway: Gateway;
  actions: PlayActions;
  faults: Faults;
}

/** Serves `/play/...`, the people's side; its shapes are in play-protocol.ts. */
export async function handlePlay(
  parts: Parts,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<void> {
  const key = `${request.method} ${url.pathname}`;
  try {
    if (key === 'POST /play/faults') {
      const { json } = await readBody(request);
      makeFault(parts, parseFault(json));
      return sendJson(response, 204, undefined);
    }
    const person = parts.world.findPerson(url.searchParams.get('user') ?? '');
    if (person === undefined) throw new PlayRefusal('there is no such user');
    const userId = person.user.id;
    switch (key) {
      case 'GET /play/state':
        return sendJson(response, 200, viewOf(parts.world, userId));
      case 'GET /play/commands':
        return sendJson(
          response,
          200,
          visibleCommands(parts.world, userId, url.searchParams.get('channel') ?? ''),
        );
      case 'POST /play/act': {
        const { json, files } = await readBody(request);
        return sendJson(response, 200, await parts.actions.act(userId, parseAction(json), files));
      }
      default:
        return sendJson(response, 404, { error: 'not found' });
    }
  } catch (error) {
    if (error instanceof PlayRefusal) return sendJson(response, 400, { error: error.message });
    if (error instanceof DiscordError) return sendJson(response, error.status, { error: refusalText(error) });
    throw error;
  }
}

function refusalText(error: DiscordError): string {
  return error.code === 40005 ? 'Your files are too powerful: at most 10 MB each' : error.message;
}

/** The commands a person sees in a channel. @throws PlayRefusal */
function visibleCommands(world: World, userId: string, channelId: string): PlayCommand[] {
  const channel = world.channels.get(channelId);
  if (channel === undefined || !world.canSeeChannel(userId, channel)) {
    throw new PlayRefusal('there is no such channel');
  }
  return listRunnable(world, userId, channel).map(({ command: _command, ...visible }) => visible);
}

function makeFault(parts: Parts, fault: PlayFault): void {
  if (fault.kind === 'respond') parts.faults.add(fault);
  else if (fault.kind === 'drop-gateway') parts.gateway.drop(fault.resumable ?? true);
  else if (fault.kind === 'expire-tokens') parts.interactions.expireTokens();
  else if (fault.kind === 'block-dms') {
    const person = parts.world.people.get(fault.userId);
    if (person === undefined) throw new PlayRefusal('there is no such user');
    person.acceptsDirectMessages = !fault.blocked;
  }
}
