/**
 * What the page and the tests speak with the stand-in, under /play. The query parameter `user`, an id or a
 * name, says who is speaking.
 *
 * `GET /play/state` is everything that user may see; `ws /play/live` sends the same as `hello` and then every change.
 * `POST /play/act` carries a PlayAction (JSON, or multipart with `payload_json` and one part per attachment option,
 * named after the option) and answers when the bot has answered Discord, or when its three seconds are over.
 * A request that Discord's own client would not send (a missing required option, a disabled button) is refused with
 * status 400 and `{ "error": "a sentence" }`.
 */
import type {
  APIApplicationCommandBasicOption,
  APIApplicationCommandOptionChoice,
  APIMessage,
  APIModalInteractionResponseCallbackData,
  APIUser,
  InteractionResponseType,
} from 'discord-api-types/v10';

export interface PlayUser {
  id: string;
  name: string;
  /** What the page says beside the name: participant or organiser. */
  title: string;
  roleIds: string[];
  /** CSS colour of the name. */
  colour: string;
}

export interface PlayChannel {
  id: string;
  kind: 'text' | 'dm' | 'thread' | 'forum';
  name: string;
  topic: string;
  parentId: string | null;
  /** Nobody but organisers sees it. */
  restricted: boolean;
}

export interface PlayState {
  me: PlayUser;
  users: PlayUser[];
  bot: { user: APIUser; online: boolean; colour: string };
  guild: { id: string; name: string };
  roles: { id: string; name: string; colour: string }[];
  channels: PlayChannel[];
  messages: Record<string, APIMessage[]>;
}

export type PlayEvent =
  | { type: 'hello'; state: PlayState }
  | { type: 'message-create' | 'message-update'; channelId: string; message: APIMessage }
  | { type: 'message-delete'; channelId: string; messageId: string }
  | { type: 'channel'; channel: PlayChannel }
  | { type: 'channel-delete'; channelId: string }
  | { type: 'typing'; channelId: string; userId: string }
  | { type: 'commands' }
  | { type: 'bot'; online: boolean };

/** One thing that can be typed after the slash: subcommands are their own entry. */
export interface PlayCommand {
  /** The registered command's id; subcommands share it. */
  id: string;
  /** `['leaderboard', 'show']` */
  path: string[];
  description: string;
  options: APIApplicationCommandBasicOption[];
}

export type PlayValue = string | number | boolean;

export type PlayAction =
  | { kind: 'command'; channelId: string; path: string[]; options: Record<string, PlayValue> }
  | {
      kind: 'autocomplete';
      channelId: string;
      path: string[];
      options: Record<string, PlayValue>;
      focused: string;
    }
  | { kind: 'press'; channelId: string; messageId: string; customId: string }
  | { kind: 'select'; channelId: string; messageId: string; customId: string; values: string[] }
  | { kind: 'modal'; interactionId: string; fields: Record<string, string | string[]> }
  | { kind: 'say'; channelId: string; content: string }
  | { kind: 'dismiss'; channelId: string; messageId: string };

export type PlayOutcome =
  | {
      state: 'answered';
      interactionId: string;
      callbackType: InteractionResponseType;
      /** The message that the answer created or changed. */
      messageId?: string;
      modal?: APIModalInteractionResponseCallbackData;
      choices?: APIApplicationCommandOptionChoice[];
    }
  | { state: 'failed'; interactionId: string; error: string }
  | { state: 'done'; messageId?: string };

/** `POST /play/faults`: what the tests use to make Discord misbehave. */
export type PlayFault =
  | {
      kind: 'respond';
      status: 429 | 500 | 502 | 503;
      times: number;
      /** Only this method; any without it. */
      method?: string;
      /** A route with `*` for one segment, such as `/channels/*\/messages`; any without it. */
      route?: string;
      retryAfterS?: number;
      /** The request is carried out and only its answer is replaced, as when a connection dies too late. */
      afterApplying?: boolean;
    }
  | { kind: 'drop-gateway'; resumable?: boolean }
  | { kind: 'expire-tokens' }
  | { kind: 'block-dms'; userId: string; blocked: boolean };
