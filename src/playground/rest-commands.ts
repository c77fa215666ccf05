import type { APIApplicationCommand } from 'discord-api-types/v10';
import { ApplicationCommandType } from 'discord-api-types/v10';
import { checkCommands } from './check-command.ts';
import { refusals } from './discord-error.ts';
import { type Json, objectsOf } from './form-check.ts';
import type { RestRoutes } from './rest-router.ts';
import { nextSnowflake } from './snowflake.ts';
import type { World } from './world.ts';

/** Application commands, of the guild and global ones. */
export function commandRoutes(world: World): RestRoutes {
  return {
    ...routesOf(world, 'global', '/applications/:applicationId/commands'),
    ...routesOf(world, 'guild', '/applications/:applicationId/guilds/:guildId/commands'),
  };
}

function routesOf(world: World, scope: 'guild' | 'global', base: string): RestRoutes {
  const check = (params: Record<string, string>) => {
    if (params.applicationId !== world.botUser.id) throw refusals.notFound();
    if (scope === 'guild' && params.guildId !== world.guildId) throw refusals.unknownGuild();
  };
  const save = (commands: APIApplicationCommand[]) => {
    world.commands[scope] = commands;
    world.changes.emit('commands');
  };
  const find = (id: string | undefined) => {
    const found = world.commands[scope].find((command) => command.id === id);
    if (found === undefined) throw refusals.unknownCommand();
    return found;
  };
  const build = (body: Json, before?: APIApplicationCommand) => commandFrom(world, scope, body, before);
  return {
    [`GET ${base}`]: ({ params }) => {
      check(params);
      return world.commands[scope];
    },
    [`PUT ${base}`]: ({ params, json }) => {
      check(params);
      // Anything else would read as an empty list, which unregisters every command.
      if (!Array.isArray(json)) throw refusals.notAList();
      const bodies = objectsOf(json);
      checkCommands(bodies);
      // A command that keeps its name keeps its id, so what people have in front of them stays valid.
      const named = new Map(world.commands[scope].map((command) => [command.name, command]));
      save(bodies.map((body) => build(body, named.get(String(body.name)))));
      return world.commands[scope];
    },
    [`POST ${base}`]: ({ params, body }) => {
      check(params);
      checkCommands([body]);
      const before = world.commands[scope].find((command) => command.name === body.name);
      const command = build(body, before);
      save([...world.commands[scope].filter((other) => other !== before), command]);
      return command;
    },
    [`GET ${base}/:commandId`]: ({ params }) => find(params.commandId),
    [`PATCH ${base}/:commandId`]: ({ params, body }) => {
      check(params);
      const before = find(params.commandId);
      const merged = { ...(before as unknown as Json), ...body };
      checkCommands([merged]);
      const command = build(merged, before);
      save(world.commands[scope].map((other) => (other === before ? command : other)));
      return command;
    },
    [`DELETE ${base}/:commandId`]: ({ params }) => {
      check(params);
      const gone = find(params.commandId);
      save(world.commands[scope].filter((command) => command !== gone));
    },
  };
}

function commandFrom(
  world: World,
  scope: 'guild' | 'global',
  body: Json,
  before: APIApplicationCommand | undefined,
): APIApplicationCommand {
  const permissions = body.default_member_permissions;
  return {
    name_localizations: null,
    description_localizations: null,
    dm_permission: true,
    nsfw: false,
    contexts: null,
    integration_types: [0],
    ...body,
    options: objectsOf(body.options),
    id: before?.id ?? nextSnowflake(),
    application_id: world.botUser.id,
    type: body.type ?? ApplicationCommandType.ChatInput,
    description: body.description ?? '',
    default_member_permissions:
      permissions === undefined || permissions === null ? null : String(permissions),
    version: nextSnowflake(),
    ...(scope === 'guild' ? { guild_id: world.guildId } : {}),
  } as unknown as APIApplicationCommand;
}
