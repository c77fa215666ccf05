/** The ways in which a message reaches a person, lowest level: what Discord's REST API is asked to do. */

import {
  type APIActionRowComponent,
  type APIButtonComponent,
  type APIEmbed,
  type Client,
  DiscordAPIError,
  type RawFile,
  type RESTPatchAPIWebhookWithTokenMessageJSONBody,
  Routes,
} from 'discord.js';

const CANNOT_DM = 50007;

export interface ReplyBody {
  embeds: APIEmbed[];
  /** None where left out: buttons of an earlier state don't stay. */
  components?: APIActionRowComponent<APIButtonComponent>[];
  files?: RawFile[];
}

/** Edits the reply to an interaction; works for 15 minutes, for ephemeral replies too. */
export async function editInteractionReply(
  client: Client<true>,
  token: string,
  body: ReplyBody,
): Promise<void> {
  const json: RESTPatchAPIWebhookWithTokenMessageJSONBody = {
    embeds: body.embeds,
    components: body.components ?? [],
    content: '',
  };
  await client.rest.patch(Routes.webhookMessage(client.application.id, token, '@original'), {
    body: json,
    ...(body.files && { files: body.files }),
    auth: false,
  });
}

/** Throws DiscordAPIError 50007 when the person takes no messages. The nonce keeps a second try from showing twice. */
export async function sendDirectMessage(
  client: Client<true>,
  userId: string,
  body: ReplyBody,
  nonce: string,
): Promise<void> {
  const channel = (await client.rest.post(Routes.userChannels(), { body: { recipient_id: userId } })) as {
    id: string;
  };
  await sendToChannel(client, channel.id, body, nonce);
}

export async function sendToChannel(
  client: Client<true>,
  channelId: string,
  body: ReplyBody & { content?: string; mention?: string },
  nonce: string,
): Promise<void> {
  await client.rest.post(Routes.channelMessages(channelId), {
    body: {
      content: body.content ?? '',
      embeds: body.embeds,
      components: body.components ?? [],
      nonce,
      enforce_nonce: true,
      allowed_mentions: { parse: [], ...(body.mention && { users: [body.mention] }) },
    },
    ...(body.files && { files: body.files }),
  });
}

/** False where Discord says that this way is closed for good; throws where another attempt may help. */
export async function succeeds(send: () => Promise<void>): Promise<boolean> {
  try {
    await send();
    return true;
  } catch (error) {
    if (
      error instanceof DiscordAPIError &&
      ([401, 403, 404].includes(error.status) || error.code === CANNOT_DM)
    ) {
      return false;
    }
    throw error;
  }
}
