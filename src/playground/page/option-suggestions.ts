import type { APIApplicationCommandBasicOption } from 'discord-api-types/v10';
import type { PlayValue } from '../play-protocol.ts';
import { avatarOf } from './avatars.ts';
import type { Session } from './session.ts';

/** The numbers of Discord's option types that matter here. */
export const optionTypes = {
  boolean: 5,
  user: 6,
  channel: 7,
  role: 8,
  mentionable: 9,
  attachment: 11,
} as const;

export interface Choice {
  name: string;
  value: PlayValue;
  picture?: string;
}

/** What an option offers by itself, or undefined when it is typed freely or completed by the bot. */
export function fixedChoices(
  session: Session,
  option: APIApplicationCommandBasicOption,
): Choice[] | undefined {
  const { state } = session;
  if (state === undefined) return undefined;
  if ('choices' in option && option.choices !== undefined && option.choices.length > 0) return option.choices;
  switch (option.type as number) {
    case optionTypes.boolean:
      return [
        { name: 'True', value: true },
        { name: 'False', value: false },
      ];
    case optionTypes.user:
    case optionTypes.mentionable: {
      const bot = { id: state.bot.user.id, name: state.bot.user.username, bot: true };
      const users: { id: string; name: string; bot?: boolean }[] = [...state.users, bot];
      return users.map((user) => ({ name: user.name, value: user.id, picture: avatarOf(user) }));
    }
    case optionTypes.channel:
      return state.channels
        .filter(({ kind }) => kind !== 'dm')
        .map(({ id, name }) => ({ name: `#${name}`, value: id }));
    case optionTypes.role:
      return state.roles.map(({ id, name }) => ({ name: `@${name.replace(/^@/, '')}`, value: id }));
    default:
      return undefined;
  }
}

/** Whether the bot completes this option. */
export function isCompleted(option: APIApplicationCommandBasicOption): boolean {
  return 'autocomplete' in option && option.autocomplete === true;
}
