/** Tokens for command-line clients and scripts. The token itself appears in one answer, to its owner, once. */
import type { APIEmbed } from 'discord-api-types/v10';
import type { TokenKind, TokenView } from '../domain/account.ts';
import { colours } from './colours.ts';
import { code, codeBlock, cut, plain } from './markdown.ts';
import { timestamp } from './measure.ts';

const kindLabels: Record<TokenKind, string> = {
  personal: 'token',
  cli: 'command line',
  admin: 'admin token',
};

/** `apiUrl` null: not configured, so the organisers have to tell it. */
export function ownTokenEmbed(token: string, name: string, apiUrl: string | null): APIEmbed {
  return {
    title: cut(`Your token “${plain(name)}”`, 256),
    color: colours.good,
    description: [
      'Whoever has it can submit as you and read your submissions. It is shown this once; nobody can show it again.',
      '',
      '**With popcorn-cli**, the file `.popcorn.yaml` in your home directory is this line:',
      codeBlock(`cli_id: ${token}`, 300),
      ...serverLines('and this is the server:', apiUrl),
      'Lost it, or somebody saw it? `/account revoke`.',
    ].join('\n'),
  };
}

/** What a client that was linked by its own id still has to know. */
export function linkedEmbed(apiUrl: string | null): APIEmbed {
  return {
    title: 'Your command line is linked',
    color: colours.good,
    description: [
      'It submits as you from now on.',
      ...serverLines('This is the server:', apiUrl),
      '`/account revoke` undoes it.',
    ].join('\n'),
  };
}

export function adminTokenEmbed(token: string, name: string, apiUrl: string | null): APIEmbed {
  return {
    title: cut(`Admin token “${plain(name)}”`, 256),
    color: colours.good,
    description: [
      'It opens every admin route of the HTTP API. It is shown this once; nobody can show it again.',
      codeBlock([...serverExport(apiUrl), `export POPCORN_ADMIN_TOKEN=${token}`].join('\n'), 700),
      'Lost it, or somebody saw it? `/admin token revoke`.',
    ].join('\n'),
  };
}

function serverLines(intro: string, apiUrl: string | null): string[] {
  return apiUrl === null
    ? ['Your organisers know the address for `POPCORN_API_URL`.']
    : [intro, codeBlock(serverExport(apiUrl).join('\n'), 400)];
}

function serverExport(apiUrl: string | null): string[] {
  return apiUrl === null ? [] : [`export POPCORN_API_URL=${apiUrl}`];
}

/** `empty` says how to get one. */
export function tokenListEmbed(title: string, tokens: TokenView[], empty: string): APIEmbed {
  const lines = tokens.map((token) => {
    const by = token.kind === 'admin' ? ` · made by ${plain(token.userName)}` : '';
    const used = token.lastUsedAt ? `used ${timestamp(token.lastUsedAt, 'R')}` : 'not used yet';
    return `**#${token.id}** ${code(token.name)} · ${kindLabels[token.kind]}${by} · made ${timestamp(token.createdAt, 'd')} · ${used}`;
  });
  return {
    title: cut(title, 256),
    color: colours.running,
    description: cut(lines.join('\n') || empty, 4096),
  };
}

/** A line of a suggestion list: `#12 laptop (command line)`. */
export function tokenChoice(token: TokenView): string {
  return cut(`#${token.id} ${token.name} (${kindLabels[token.kind]})`, 100);
}
