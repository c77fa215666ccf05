import type { APIMessage } from 'discord-api-types/v10';
import { ComponentType, MessageFlags } from 'discord-api-types/v10';

/** A button or menu of a message, as much of it as the tests need. */
export interface MessageComponent {
  type: ComponentType;
  customId: string | undefined;
  /** A button's label, or a menu's placeholder. */
  label: string;
  disabled: boolean;
  url: string | undefined;
  options: { label: string; value: string }[];
}

/** Every button and menu, in order. */
export function componentsOf(message: APIMessage): MessageComponent[] {
  const rows = (message.components ?? []) as unknown as { components?: Record<string, unknown>[] }[];
  return rows
    .flatMap((row) => row.components ?? [])
    .map((component) => ({
      type: component.type as ComponentType,
      customId: component.custom_id as string | undefined,
      label: String(component.label ?? component.placeholder ?? ''),
      disabled: component.disabled === true,
      url: component.url as string | undefined,
      options: (component.options ?? []) as { label: string; value: string }[],
    }));
}

/** A component by its custom id, or its label. @throws an error that lists what there is */
export function findComponent(message: APIMessage, idOrLabel: string): MessageComponent {
  const all = componentsOf(message);
  const found =
    all.find((component) => component.customId === idOrLabel) ?? all.find(({ label }) => label === idOrLabel);
  if (found !== undefined) return found;
  const there = all.map((component) => `${component.label} (${component.customId})`).join(', ');
  throw new Error(`no component "${idOrLabel}"; there is: ${there || 'none'}\n${describeMessage(message)}`);
}

/** The only menu of a message. @throws when there is none */
export function findMenu(message: APIMessage): MessageComponent {
  const menu = componentsOf(message).find((component) => component.type === ComponentType.StringSelect);
  if (menu === undefined) throw new Error(`the message has no menu\n${describeMessage(message)}`);
  return menu;
}

/** Everything a reader could read in a message, as one text: for asserting what it says, and what it does not. */
export function textOf(message: APIMessage): string {
  const lines: (string | undefined)[] = [message.content];
  for (const embed of message.embeds) {
    lines.push(embed.author?.name, embed.title, embed.description);
    for (const field of embed.fields ?? []) lines.push(`${field.name}: ${field.value}`);
    lines.push(embed.footer?.text);
  }
  for (const component of componentsOf(message)) {
    lines.push(`[${component.label}]`, ...component.options.map((option) => option.label));
  }
  for (const attachment of message.attachments) lines.push(`(file ${attachment.filename})`);
  return lines.filter((line) => line !== undefined && line !== '').join('\n');
}

export function isEphemeral(message: APIMessage): boolean {
  return ((message.flags ?? 0) & MessageFlags.Ephemeral) !== 0;
}

/** The bot has deferred and not yet written anything. */
export function isThinking(message: APIMessage): boolean {
  return ((message.flags ?? 0) & MessageFlags.Loading) !== 0;
}

export function describeMessage(message: APIMessage): string {
  const marks = [isEphemeral(message) ? 'ephemeral' : '', isThinking(message) ? 'thinking' : ''];
  const head = [`${message.author.username} ${message.id}`, ...marks.filter((mark) => mark !== '')].join(
    ', ',
  );
  return `--- ${head}\n${textOf(message)}`;
}

export function describeMessages(messages: APIMessage[]): string {
  return messages.length === 0 ? '(none)' : messages.map(describeMessage).join('\n');
}
