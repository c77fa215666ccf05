/** Short answers: a refusal, an internal failure, a confirmation. */
import type { APIEmbed } from 'discord-api-types/v10';
import type { UserError } from '../domain/errors.ts';
import { colours } from './colours.ts';
import { cut } from './markdown.ts';

/** What is wrong, and what to do next. */
export function refusalEmbed(error: UserError): APIEmbed {
  return { title: cut(error.text, 256).replaceAll('`', ''), description: error.next, color: colours.bad };
}

/** Nothing about the cause: the reference finds it in the log. */
export function internalFailureEmbed(reference: string): APIEmbed {
  return {
    title: 'Something broke on our side',
    description: `It was not your doing. Try again; if it happens again, give an organiser this reference: \`${reference}\``,
    color: colours.ours,
  };
}

export function noticeEmbed(title: string, description: string): APIEmbed {
  return { title: cut(title, 256), description: cut(description, 4096), color: colours.running };
}
