/** From what a person typed to the `data` of a command interaction, with the checks Discord's own client makes. */
import type {
  APIApplicationCommand,
  APIApplicationCommandBasicOption,
  APIApplicationCommandOption,
  APIAttachment,
} from 'discord-api-types/v10';
import { ApplicationCommandOptionType, ApplicationCommandType } from 'discord-api-types/v10';
import { channelObject, memberObject } from './discord-objects.ts';
import type { Json } from './form-check.ts';
import { mayUseCommand } from './permissions.ts';
import type { PlayCommand, PlayValue } from './play-protocol.ts';
import type { StoredChannel, World } from './world.ts';

/** Something Discord's client would not have let the person do. The text is for that person. */
export class PlayRefusal extends Error {}

interface Runnable extends PlayCommand {
  command: APIApplicationCommand;
}

/** The commands that a person sees in a channel, one entry for each subcommand. */
export function listRunnable(world: World, userId: string, channel: StoredChannel): Runnable[] {
  const direct = channel.recipientId !== undefined;
  const permissions = world.permissionsOf(userId, channel);
  const here = direct
    ? world.commands.global.filter(
        (command) => command.contexts?.includes(1) ?? command.dm_permission !== false,
      )
    : [...world.commands.guild, ...world.commands.global];
  return here
    .filter((command) => command.type === ApplicationCommandType.ChatInput)
    .filter((command) => direct || mayUseCommand(command.default_member_permissions, permissions))
    .flatMap((command) => leaves(command, [command.name], command.description, command.options ?? []))
    .sort((a, b) => a.path.join(' ').localeCompare(b.path.join(' ')));
}

function leaves(
  command: APIApplicationCommand,
  path: string[],
  description: string,
  options: APIApplicationCommandOption[],
): Runnable[] {
  const below = options.filter(isGroup);
  if (below.length === 0) {
    return [
      { id: command.id, path, description, options: options as APIApplicationCommandBasicOption[], command },
    ];
  }
  return below.flatMap((option) =>
    leaves(
      command,
      [...path, option.name],
      option.description,
      'options' in option ? (option.options ?? []) : [],
    ),
  );
}

function isGroup(option: APIApplicationCommandOption): boolean {
  return (
    option.type === ApplicationCommandOptionType.Subcommand ||
    option.type === ApplicationCommandOptionType.SubcommandGroup
  );
}

export interface Filled {
  values: Record<string, PlayValue>;
  /** Attachments by option name. */
  attachments: Record<string, APIAttachment>;
  /** The option being typed, in an autocomplete request: nothing is required yet. */
  focused?: string;
}

/** @throws PlayRefusal that names the option and what it should be */
export function commandData(world: World, runnable: Runnable, filled: Filled): Json {
  const { options, path, command } = runnable;
  const unknown = [...Object.keys(filled.values), ...Object.keys(filled.attachments)].find(
    (name) => !options.some((option) => option.name === name),
  );
  if (unknown !== undefined) throw new PlayRefusal(`/${path.join(' ')} has no option "${unknown}"`);
  const given = options.flatMap((option): Json[] => {
    const one = givenOption(world, option, filled);
    return one === undefined ? [] : [one];
  });
  const resolved = resolvedObjects(world, options, filled);
  return {
    id: command.id,
    name: command.name,
    type: command.type,
    ...(command.guild_id === undefined ? {} : { guild_id: command.guild_id }),
    options: nested(path.slice(1), given),
    ...(Object.keys(resolved).length === 0 ? {} : { resolved }),
  };
}

function nested(subPath: string[], given: Json[]): Json[] {
  const [first, ...rest] = subPath;
  if (first === undefined) return given;
  const type =
    rest.length > 0 ? ApplicationCommandOptionType.SubcommandGroup : ApplicationCommandOptionType.Subcommand;
  return [{ name: first, type, options: nested(rest, given) }];
}

function givenOption(
  world: World,
  option: APIApplicationCommandBasicOption,
  filled: Filled,
): Json | undefined {
  const { name, type } = option;
  const value = filled.attachments[name]?.id ?? filled.values[name];
  const typing = filled.focused !== undefined;
  const focused = filled.focused === name ? { focused: true } : {};
  if (value === undefined || value === '') {
    if (filled.focused === name) return { name, type, value: '', focused: true };
    if (option.required === true && !typing)
      throw new PlayRefusal(`${name}: this option is required. Specify a value`);
    return undefined;
  }
  // Discord sends what was typed so far, unchecked, while a person is still typing.
  return { name, type, value: typing ? value : checked(world, option, value), ...focused };
}

function checked(world: World, option: APIApplicationCommandBasicOption, value: PlayValue): PlayValue {
  const refuse = (what: string): never => {
    throw new PlayRefusal(`${option.name}: ${what}`);
  };
  switch (option.type) {
    case ApplicationCommandOptionType.String: {
      const text = String(value);
      if ('choices' in option && option.choices && !option.choices.some((choice) => choice.value === text)) {
        refuse(`choose one of ${option.choices.map((choice) => choice.name).join(', ')}`);
      }
      const { min_length: min = 0, max_length: max = 6000 } = option;
      if (text.length < min || text.length > max) refuse(`must be between ${min} and ${max} characters long`);
      return text;
    }
    case ApplicationCommandOptionType.Integer:
    case ApplicationCommandOptionType.Number: {
      const number = Number(value);
      const whole = option.type === ApplicationCommandOptionType.Integer;
      if (!Number.isFinite(number) || (whole && !Number.isInteger(number))) {
        refuse(whole ? 'must be a whole number' : 'must be a number');
      }
      if (option.min_value !== undefined && number < option.min_value)
        refuse(`must be at least ${option.min_value}`);
      if (option.max_value !== undefined && number > option.max_value)
        refuse(`must be at most ${option.max_value}`);
      if (
        'choices' in option &&
        option.choices &&
        !option.choices.some((choice) => choice.value === number)
      ) {
        refuse(`choose one of ${option.choices.map((choice) => choice.name).join(', ')}`);
      }
      return number;
    }
    case ApplicationCommandOptionType.Boolean:
      return typeof value === 'boolean' ? value : refuse('must be true or false');
    case ApplicationCommandOptionType.User:
      return memberObject(world, String(value)) === undefined
        ? refuse('there is no such user')
        : String(value);
    case ApplicationCommandOptionType.Channel:
      return world.channels.has(String(value)) ? String(value) : refuse('there is no such channel');
    case ApplicationCommandOptionType.Role:
      return world.roles.has(String(value)) ? String(value) : refuse('there is no such role');
    default:
      return value;
  }
}

function resolvedObjects(world: World, options: APIApplicationCommandBasicOption[], filled: Filled): Json {
  const resolved: Record<string, Record<string, unknown>> = {};
  const put = (kind: string, id: string, object: unknown) => {
    resolved[kind] = { ...resolved[kind], [id]: object };
  };
  for (const attachment of Object.values(filled.attachments)) put('attachments', attachment.id, attachment);
  for (const option of options) {
    const id = String(filled.values[option.name] ?? '');
    if (id === '') continue;
    const member = option.type === ApplicationCommandOptionType.User ? memberObject(world, id) : undefined;
    if (member !== undefined) {
      const { user, ...rest } = member;
      put('users', id, user);
      put('members', id, { ...rest, permissions: world.permissionsOf(id).toString() });
    }
    const channel = option.type === ApplicationCommandOptionType.Channel ? world.channels.get(id) : undefined;
    if (channel !== undefined) {
      const permissions = world.permissionsOf(world.botUser.id, channel).toString();
      put('channels', id, { ...channelObject(world, channel), permissions });
    }
    const role = option.type === ApplicationCommandOptionType.Role ? world.roles.get(id) : undefined;
    if (role !== undefined) put('roles', id, role);
  }
  return resolved;
}
