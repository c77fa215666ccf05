import { MessageFlags } from 'discord-api-types/v10';
import { refusals } from './discord-error.ts';
import type { Interaction, Interactions } from './interactions.ts';
import type { RestCall, RestRoutes } from './rest-router.ts';
import type { World } from './world.ts';

/** Callbacks and the interaction's webhook. These routes carry their secret in the path, not in a header. */
export function interactionRoutes(world: World, interactions: Interactions): RestRoutes {
  const found = ({ params }: RestCall): Interaction => {
    const interaction = interactions.withToken(params.applicationId ?? '', params.token ?? '');
    if (!world.channels.has(interaction.channel.id)) throw refusals.unknownChannel();
    return interaction;
  };
  const base = '/webhooks/:applicationId/:token';
  return {
    'POST /interactions/:interactionId/:token/callback': ({ params, query, json, files }) => {
      const { interactionId = '', token = '' } = params;
      const interaction = interactions.answer(interactionId, token, json, files);
      return query.get('with_response') === 'true' ? callbackResource(interaction, json) : undefined;
    },
    [`POST ${base}`]: (call) => {
      const interaction = found(call);
      return interactions.followUp(interaction, call.body, call.files).message;
    },
    [`GET ${base}/messages/:messageId`]: (call) =>
      interactions.messageOf(found(call), call.params.messageId ?? '').message,
    [`PATCH ${base}/messages/:messageId`]: (call) => {
      const interaction = found(call);
      const stored = interactions.messageOf(interaction, call.params.messageId ?? '');
      interactions.edit(interaction, stored, call.body, call.files);
      return stored.message;
    },
    [`DELETE ${base}/messages/:messageId`]: (call) => {
      const interaction = found(call);
      const stored = interactions.messageOf(interaction, call.params.messageId ?? '');
      if (!interaction.channel.messages.has(stored.message.id)) throw refusals.unknownMessage();
      world.removeMessage(interaction.channel, stored);
    },
  };
}

function callbackResource(interaction: Interaction, json: unknown): unknown {
  const message = interaction.original?.message;
  const flags = message?.flags ?? 0;
  return {
    interaction: {
      id: interaction.id,
      type: interaction.type,
      channel_id: interaction.channel.id,
      ...(message === undefined
        ? {}
        : {
            response_message_id: message.id,
            response_message_loading: (flags & MessageFlags.Loading) !== 0,
            response_message_ephemeral: (flags & MessageFlags.Ephemeral) !== 0,
          }),
    },
    resource: {
      type: (json as { type: number }).type,
      ...(message === undefined ? {} : { message }),
    },
  };
}
