/** One fault of a form body: where (`embeds.0.title`), Discord's code for it, and its sentence. */
export interface FormFault {
  path: string;
  code: string;
  message: string;
}

/** An answer as Discord words its refusals: HTTP status, JSON code and message, and for forms the tree of faults. */
export class DiscordError extends Error {
  readonly status: number;
  readonly code: number;
  readonly errors: Record<string, unknown> | undefined;

  constructor(status: number, code: number, message: string, errors?: Record<string, unknown>) {
    super(message);
    this.name = 'DiscordError';
    this.status = status;
    this.code = code;
    this.errors = errors;
  }

  toBody(): Record<string, unknown> {
    return {
      message: this.message,
      code: this.code,
      ...(this.errors === undefined ? {} : { errors: this.errors }),
    };
  }
}

/** 400 with code 50035 and the faults as the nested tree that discord.js flattens into its error text. */
export function invalidForm(faults: FormFault[]): DiscordError {
  const tree: Record<string, unknown> = {};
  for (const fault of faults) {
    let node = tree;
    for (const key of fault.path.split('.').filter((part) => part !== '')) {
      node[key] ??= {};
      node = node[key] as Record<string, unknown>;
    }
    node._errors ??= [];
    (node._errors as unknown[]).push({ code: fault.code, message: fault.message });
  }
  return new DiscordError(400, 50035, 'Invalid Form Body', tree);
}

// The refusals the bot can meet, by the numbers Discord documents for them.
export const refusals = {
  unauthorized: () => new DiscordError(401, 0, '401: Unauthorized'),
  notFound: () => new DiscordError(404, 0, '404: Not Found'),
  unknownChannel: () => new DiscordError(404, 10003, 'Unknown Channel'),
  unknownGuild: () => new DiscordError(404, 10004, 'Unknown Guild'),
  unknownMember: () => new DiscordError(404, 10007, 'Unknown Member'),
  unknownMessage: () => new DiscordError(404, 10008, 'Unknown Message'),
  unknownRole: () => new DiscordError(404, 10011, 'Unknown Role'),
  unknownUser: () => new DiscordError(404, 10013, 'Unknown User'),
  unknownWebhook: () => new DiscordError(404, 10015, 'Unknown Webhook'),
  unknownInteraction: () => new DiscordError(404, 10062, 'Unknown interaction'),
  unknownCommand: () => new DiscordError(404, 10063, 'Unknown application command'),
  tooLarge: () => new DiscordError(413, 40005, 'Request entity too large'),
  alreadyAcknowledged: () => new DiscordError(400, 40060, 'Interaction has already been acknowledged.'),
  notTheAuthor: () => new DiscordError(403, 50005, 'Cannot edit a message authored by another user'),
  emptyMessage: () => new DiscordError(400, 50006, 'Cannot send an empty message'),
  cannotDirectMessage: () => new DiscordError(403, 50007, 'Cannot send messages to this user'),
  wrongChannelType: () => new DiscordError(400, 50024, 'Cannot execute action on this channel type'),
  invalidWebhookToken: () => new DiscordError(401, 50027, 'Invalid Webhook Token'),
  notAnObject: () =>
    invalidForm([
      { path: '', code: 'DICT_TYPE_CONVERT', message: 'Only dictionaries may be used in a DictType' },
    ]),
  notAList: () =>
    invalidForm([
      { path: '', code: 'LIST_TYPE_CONVERT', message: 'Only iterables may be used in a ListType' },
    ]),
  badJson: () => new DiscordError(400, 50109, 'The request body contains invalid JSON.'),
} as const;
