/** What stands below `/admin`: groups of subcommands, and subcommands of their own. One file of this folder each. */
import type {
  AutocompleteInteraction,
  ChatInputCommandInteraction,
  MessageComponentInteraction,
  SlashCommandSubcommandBuilder,
  SlashCommandSubcommandGroupBuilder,
} from 'discord.js';
import type { Choice, Command, CommandContext, ReadContext } from '../../src/discord/command.ts';

export interface AdminGroup {
  name: string;
  build(group: SlashCommandSubcommandGroupBuilder): SlashCommandSubcommandGroupBuilder;
  /** By subcommand name; called after the ephemeral reply was deferred. */
  run: Record<string, (interaction: ChatInputCommandInteraction, context: CommandContext) => Promise<void>>;
  complete?(interaction: AutocompleteInteraction, context: ReadContext): Promise<Choice[]>;
  /** A button or menu whose custom id is `admin:<group>:<args...>`; called after the update was deferred. */
  press?(interaction: MessageComponentInteraction, args: string[], context: CommandContext): Promise<void>;
  /** A form of its subcommands or buttons, as in `Command`. */
  open?: Command['open'];
  /** A form that was filled in, with a custom id like a button's. */
  fill?: Command['fill'];
}

/** A subcommand without a group. */
export interface AdminCommand {
  name: string;
  build(sub: SlashCommandSubcommandBuilder): SlashCommandSubcommandBuilder;
  /** Called after the ephemeral reply was deferred. */
  run(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void>;
  complete(interaction: AutocompleteInteraction, context: ReadContext): Promise<Choice[]>;
}
