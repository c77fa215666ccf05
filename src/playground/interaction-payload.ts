/** The INTERACTION_CREATE event in Discord's shape. */
import { channelObject, memberObject } from './discord-objects.ts';
import type { Json } from './form-check.ts';
import type { Interaction } from './interactions.ts';
import { maxFileBytes } from './request-body.ts';
import type { World } from './world.ts';

export function interactionPayload(world: World, interaction: Interaction, data: Json): Json {
  const { channel, userId, source } = interaction;
  const direct = channel.recipientId !== undefined;
  const member = memberObject(world, userId);
  const permissions = world.permissionsOf(userId, channel).toString();
  return {
    id: interaction.id,
    application_id: world.botUser.id,
    type: interaction.type,
    token: interaction.token,
    version: 1,
    data,
    channel_id: channel.id,
    channel: { ...channelObject(world, channel), permissions },
    ...(direct
      ? { user: member?.user, context: 1 }
      : {
          guild_id: world.guildId,
          guild: { id: world.guildId, locale: 'en-US', features: [] },
          guild_locale: 'en-US',
          member: { ...member, permissions },
          context: 0,
        }),
    app_permissions: world.permissionsOf(world.botUser.id, channel).toString(),
    locale: 'en-US',
    entitlements: [],
    authorizing_integration_owners: { '0': world.guildId },
    attachment_size_limit: maxFileBytes,
    ...(source === undefined ? {} : { message: source.message }),
  };
}
