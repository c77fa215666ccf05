import { ApplicationCommandOptionType, ApplicationCommandType } from 'discord-api-types/v10';
import { FormCheck, type Json, objectsOf } from './form-check.ts';

const namePattern = /^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$/u;
const maxCommands = 100;

/** @throws DiscordError 50035 that names every fault of the commands; `paths` are by position, as in a bulk overwrite */
export function checkCommands(commands: Json[]): void {
  const check = new FormCheck();
  if (commands.length > maxCommands) {
    check.fault('', 'BASE_TYPE_BAD_LENGTH', `Must be between 0 and ${maxCommands} in length.`);
  }
  const names = new Set<unknown>();
  for (const [index, command] of commands.entries()) {
    checkCommand(check, String(index), command);
    if (names.has(command.name)) {
      check.fault(
        String(index),
        'APPLICATION_COMMANDS_DUPLICATE_NAME',
        'Application command names must be unique',
      );
    }
    names.add(command.name);
  }
  check.done();
}

function checkCommand(check: FormCheck, path: string, command: Json): void {
  const type = command.type ?? ApplicationCommandType.ChatInput;
  if (type !== ApplicationCommandType.ChatInput) return;
  checkName(check, `${path}.name`, command.name);
  check.text(`${path}.description`, command.description, { min: 1, max: 100, required: true });
  checkOptions(check, `${path}.options`, command.options);
  if (commandSize(command) > 8000) {
    check.fault(path, 'APPLICATION_COMMAND_TOO_LARGE', 'Command exceeds maximum size (8000)');
  }
}

function checkName(check: FormCheck, path: string, value: unknown): void {
  const name = check.text(path, value, { min: 1, max: 32, required: true });
  if (name !== '' && (!namePattern.test(name) || name !== name.toLowerCase())) {
    check.fault(path, 'APPLICATION_COMMAND_INVALID_NAME', 'Command name is invalid');
  }
}

function checkOptions(check: FormCheck, path: string, value: unknown): void {
  const names = new Set<unknown>();
  let optionalSeen = false;
  for (const [index, option] of check.list(path, value, { max: 25 }).entries()) {
    const at = `${path}.${index}`;
    checkName(check, `${at}.name`, option.name);
    check.text(`${at}.description`, option.description, { min: 1, max: 100, required: true });
    if (names.has(option.name)) {
      check.fault(at, 'APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS', 'Option name already exists');
    }
    names.add(option.name);
    const type = option.type;
    const isGroup =
      type === ApplicationCommandOptionType.Subcommand ||
      type === ApplicationCommandOptionType.SubcommandGroup;
    if (isGroup) {
      checkOptions(check, `${at}.options`, option.options);
      continue;
    }
    if (option.required === true && optionalSeen) {
      check.fault(
        at,
        'APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID',
        'Required options must be placed before non-required options',
      );
    }
    optionalSeen ||= option.required !== true;
    for (const [choiceIndex, choice] of check.list(`${at}.choices`, option.choices, { max: 25 }).entries()) {
      const choiceAt = `${at}.choices.${choiceIndex}`;
      check.text(`${choiceAt}.name`, choice.name, { min: 1, max: 100, required: true });
      if (typeof choice.value === 'string') check.text(`${choiceAt}.value`, choice.value, { max: 100 });
    }
    if (option.autocomplete === true && objectsOf(option.choices).length > 0) {
      check.fault(
        `${at}.autocomplete`,
        'APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID',
        'Option cannot have both choices and autocomplete',
      );
    }
  }
}

/** The characters Discord counts against a command: names, descriptions and choice values. */
function commandSize(part: Json): number {
  const own = [part.name, part.description, part.value]
    .map((text) => (typeof text === 'string' ? text.length : 0))
    .reduce((sum, length) => sum + length, 0);
  return [...objectsOf(part.options), ...objectsOf(part.choices)].reduce(
    (sum, child) => sum + commandSize(child),
    own,
  );
}
