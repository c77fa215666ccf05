/** Registers the slash commands of a server, but only when they differ: Discord limits how often that may be done. */
import { REST } from '@discordjs/rest';
import { type RESTPostAPIChatInputApplicationCommandsJSONBody, Routes } from 'discord-api-types/v10';
import type { Log } from '../log.ts';

type Declaration = RESTPostAPIChatInputApplicationCommandsJSONBody;

/** Resolves to whether anything was written. */
export async function registerCommands(
  target: { apiUrl: string; token: string; applicationId: string; guildId: string },
  declarations: Declaration[],
  log: Log,
): Promise<boolean> {
  const rest = new REST({ version: '10', api: target.apiUrl }).setToken(target.token);
  const route = Routes.applicationGuildCommands(target.applicationId, target.guildId);
  const present = (await rest.get(route)) as unknown[];
  const shape = (list: unknown[]) => JSON.stringify(list.map(commandShape).sort());
  if (shape(present) === shape(declarations)) {
    log.info({ commands: declarations.length }, 'slash commands are up to date');
    return false;
  }
  await rest.put(route, { body: declarations });
  log.info({ commands: declarations.length }, 'slash commands registered');
  return true;
}

/** The part of a declaration that we decide, with Discord's defaults filled in, so that both sides compare. */
function commandShape(command: unknown): string {
  const {
    name,
    description,
    default_member_permissions: permissions,
    options,
  } = command as Record<string, unknown>;
  return JSON.stringify([name, description, permissions ?? null, optionShapes(options)]);
}

function optionShapes(options: unknown): unknown[] {
  return ((options ?? []) as Record<string, unknown>[]).map((option) => [
    option.type,
    option.name,
    option.description,
    option.required ?? false,
    option.autocomplete ?? false,
    ((option.choices ?? []) as Record<string, unknown>[]).map((choice) => [choice.name, choice.value]),
    option.min_value ?? null,
    option.max_value ?? null,
    option.min_length ?? null,
    option.max_length ?? null,
    optionShapes(option.options),
  ]);
}
