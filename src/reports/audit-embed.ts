/** `/admin audit`: who did what. */
import type { APIEmbed } from 'discord-api-types/v10';
import type { AuditEntry, AuditState, AuditVerdict } from '../domain/audit.ts';
import { colours } from './colours.ts';
import { code, cut, plain } from './markdown.ts';
import { timestamp } from './measure.ts';

export const AUDIT_PAGE = 8;
/** So that a page of long ones still holds them all. */
const ENTRY_CHARS = 4096 / AUDIT_PAGE - 2;
const VALUE_CHARS = 60;
const MOST_PEOPLE = 5;

const doorNames = { discord: '', api: ' over HTTP', 'command-line': ' on the command line' };

export function auditListEmbed(entries: AuditEntry[], filtered: boolean): APIEmbed {
  const empty = filtered ? 'No entry fits this filter.' : 'Nothing was changed yet.';
  const newest = entries[0]?.id;
  return {
    title: 'Audit log',
    color: colours.running,
    description: entries.map((entry) => cut(entryLines(entry), ENTRY_CHARS)).join('\n\n') || empty,
    ...(newest !== undefined && {
      footer: { text: `#${entries.at(-1)?.id} to #${newest} · /admin audit verify checks the whole log` },
    }),
  };
}

function entryLines(entry: AuditEntry): string {
  const { id, at, actor, action, subject } = entry;
  const who = `${plain(actor.name)}${doorNames[actor.door]}`;
  const head = `**#${id}** ${timestamp(at, 'f')} · ${who}\n${code(action)}${subject ? ` ${subjectText(subject)}` : ''}`;
  const changes = changeLine(entry.before, entry.after);
  return [head, changes, entry.reason && `“${plain(cut(entry.reason, 200))}”`].filter(Boolean).join('\n');
}

/** Discord shows its own people and channels by their names. */
function subjectText(subject: string): string {
  const [, kind, id] = /^(user|channel) (\d{17,20})$/.exec(subject) ?? [];
  return id === undefined ? plain(subject) : `${kind} <${kind === 'user' ? '@' : '#'}${id}>`;
}

/** `state: ready → draining` */
function changeLine(before: AuditState | null, after: AuditState | null): string {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  return names
    .flatMap((name) => {
      const [old, now] = [before?.[name], after?.[name]].map(valueText);
      if (old === null && now === null) return [];
      const change = old !== null && now !== old ? `${old ?? '–'} → ${now ?? '–'}` : (now ?? old);
      return [`${plain(name)}: ${change}`];
    })
    .join(' · ');
}

function valueText(value: AuditState[string] | undefined): string | null {
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) return null;
  const items = (Array.isArray(value) ? value : [value]).map(String);
  if (items.every((item) => /^\d{17,20}$/.test(item))) {
    const more = items.length - MOST_PEOPLE;
    const people = items.slice(0, MOST_PEOPLE).map((id) => `<@${id}>`);
    return people.join(', ') + (more > 0 ? ` and ${more} more` : '');
  }
  return plain(cut(items.join(', ').replace(/\s+/g, ' '), VALUE_CHARS));
}

const faultTexts = {
  missing: 'entries before it are missing',
  broken: 'it does not follow on the entry before it',
  changed: 'it was changed after it was written',
};

function othersText(others: number): string {
  if (others === 0) return 'No other entry is';
  return others === 1 ? '1 further entry is' : `${others} further entries are`;
}

export function auditVerdictEmbed({ entries, newestHash, firstFault, faults }: AuditVerdict): APIEmbed {
  if (firstFault) {
    return {
      title: 'The audit log is not whole',
      color: colours.bad,
      description: `**#${firstFault.id}**: ${faultTexts[firstFault.fault]}. ${othersText(faults - 1)} out of order.\n\n**What to do** Compare with a backup and with the bot’s log, which has the hash of every entry. Somebody has written to the database by hand.`,
    };
  }
  return {
    title: 'The audit log is whole',
    color: colours.good,
    description:
      newestHash === null
        ? 'It has no entry yet.'
        : `${entries} ${entries === 1 ? 'entry follows' : 'entries follow'} on each other without a gap. The newest has the hash\n${code(newestHash)}\nNoted down elsewhere, it proves all of them later.`,
  };
}
