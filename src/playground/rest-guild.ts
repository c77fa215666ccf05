import { refusals } from './discord-error.ts';
import { allMembers, channelObject, guildObject, memberObject } from './discord-objects.ts';
import type { RestRoutes } from './rest-router.ts';
import type { Person, World } from './world.ts';
import { ownerId } from './world-seed.ts';

/** The gateway's address, the bot itself, and the guild with its members and roles. */
export function guildRoutes(world: World, gatewayUrl: () => string): RestRoutes {
  const application = () => ({
    id: world.botUser.id,
    name: world.botUser.username,
    icon: null,
    description: '',
    bot_public: false,
    bot_require_code_grant: false,
    verify_key: '',
    flags: 0,
    team: null,
    owner: world.people.get(ownerId)?.user,
    approximate_guild_count: 1,
  });
  const inGuild = (params: Record<string, string>) => {
    if (params.guildId !== world.guildId) throw refusals.unknownGuild();
  };
  const personOf = (params: Record<string, string>): Person => {
    inGuild(params);
    const person = world.people.get(params.userId ?? '');
    if (person === undefined) throw refusals.unknownMember();
    return person;
  };
  const setRoles = (person: Person, roleIds: string[]) => {
    person.roleIds = [...new Set(roleIds)];
    world.changes.emit('member-update', person);
  };
  return {
    'GET /gateway': () => ({ url: gatewayUrl() }),
    'GET /gateway/bot': () => ({
      url: gatewayUrl(),
      shards: 1,
      session_start_limit: { total: 1000, remaining: 1000, reset_after: 0, max_concurrency: 1 },
    }),
    'GET /users/@me': () => ({ ...world.botUser, verified: true, mfa_enabled: true }),
    'GET /users/@me/guilds': () => [
      { id: world.guildId, name: guildObject(world).name, owner: false, features: [] },
    ],
    'GET /users/:userId': ({ params }) => {
      const member = memberObject(world, params.userId ?? '');
      if (member === undefined) throw refusals.unknownUser();
      return member.user;
    },
    'GET /applications/@me': application,
    'GET /oauth2/applications/@me': application,
    'GET /guilds/:guildId': ({ params }) => {
      inGuild(params);
      return guildObject(world);
    },
    'GET /guilds/:guildId/channels': ({ params }) => {
      inGuild(params);
      return [...world.channels.values()]
        .filter((channel) => channel.recipientId === undefined && channel.thread === undefined)
        .map((channel) => channelObject(world, channel));
    },
    'GET /guilds/:guildId/threads/active': ({ params }) => {
      inGuild(params);
      const threads = [...world.channels.values()].filter((channel) => channel.thread?.archived === false);
      return {
        threads: threads.map((channel) => channelObject(world, channel)),
        members: [],
        has_more: false,
      };
    },
    'GET /guilds/:guildId/roles': ({ params }) => {
      inGuild(params);
      return [...world.roles.values()];
    },
    'GET /guilds/:guildId/members': ({ params }) => {
      inGuild(params);
      return allMembers(world);
    },
    'GET /guilds/:guildId/members/:userId': ({ params }) => {
      inGuild(params);
      const member = memberObject(world, params.userId === '@me' ? world.botUser.id : (params.userId ?? ''));
      if (member === undefined) throw refusals.unknownMember();
      return member;
    },
    'PUT /guilds/:guildId/members/:userId/roles/:roleId': ({ params }) => {
      const person = personOf(params);
      if (!world.roles.has(params.roleId ?? '')) throw refusals.unknownRole();
      setRoles(person, [...person.roleIds, params.roleId ?? '']);
    },
    'DELETE /guilds/:guildId/members/:userId/roles/:roleId': ({ params }) => {
      const person = personOf(params);
      setRoles(
        person,
        person.roleIds.filter((id) => id !== params.roleId),
      );
    },
  };
}
