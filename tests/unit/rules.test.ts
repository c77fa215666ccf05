import { globSync, readFileSync } from 'node:fs';
import { ApplicationCommandOptionType, PermissionFlagsBits } from 'discord.js';
import { describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.ts';
import { type ContestRole, checkRole, type RoleIds, rolesHeld } from '../../src/domain/access.ts';
import { UserError } from '../../src/domain/errors.ts';
import {
  commandRules,
  componentRules,
  deedOfCommand,
  deedOfComponent,
  routeRules,
} from '../../src/domain/rules.ts';
import {
  commandMatrix,
  componentMatrix,
  mayUse,
  type PersonKind,
  people,
  routeMatrix,
} from '../support/command-matrix.ts';

const ids: RoleIds = { admin: '1', creator: '2', judge: '3', participant: '4' };
const carried: Record<PersonKind, string[]> = {
  admin: ['1'],
  creator: ['2'],
  judge: ['3'],
  participant: ['4'],
  visitor: ['99'],
};

interface Declared {
  name: string;
  type?: number;
  options?: Declared[];
}

/** `admin box add` and so on, out of what Discord is told. */
function wordsOf(declared: Declared): string[] {
  const inner = (declared.options ?? []).filter(
    (option) =>
      option.type === ApplicationCommandOptionType.Subcommand ||
      option.type === ApplicationCommandOptionType.SubcommandGroup,
  );
  if (inner.length === 0) return [declared.name];
  return inner.flatMap(wordsOf).map((words) => `${declared.name} ${words}`);
}

const declared = commands.flatMap((command) => wordsOf(command.data as Declared)).sort();

function refusal(work: () => void): UserError | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}

describe('the rule of', () => {
  it('every command is written down, here and in the matrix, and of nothing else', () => {
    expect(Object.keys(commandRules).sort()).toEqual(declared);
    expect(Object.keys(commandMatrix).sort()).toEqual(declared);
    expect(Object.keys(componentMatrix).sort()).toEqual(Object.keys(componentRules).sort());
  });

  it('every custom id that the code makes is there', () => {
    const files = globSync(['commands/**/*.ts', 'src/discord/*.ts']);
    expect(files.length).toBeGreaterThan(20);
    const names = commands.map((command) => command.data.name).join('|');
    const made = files.flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(new RegExp(`[\`'](?:${names}):[^\`'\\n]*[\`']`, 'g'))].map(
        ([text]) => text.slice(1, -1).replace(/\$\{[^}]*\}/g, 'x'),
      ),
    );
    expect(made.length).toBeGreaterThan(5);
    // A description of ids such as `admin:rejudge:<begin|show>:<id>` is not one itself.
    const without = made.filter((id) => !/[<>]/.test(id) && deedOfComponent(id) === null);
    expect(without.filter((id) => !/^admin:\w+:x(:|$)/.test(id))).toEqual([]);
  });

  it.each(Object.entries(commandMatrix))('/%s holds for %s', (words, row) => {
    for (const person of people) {
      const rule = deedOfCommand(words)?.rule;
      if (!rule) throw new Error(`/${words} has no rule`);
      const refused = refusal(() => checkRole(rule, rolesHeld(carried[person], ids), ids));
      expect([person, refused === null]).toEqual([person, mayUse(row, person)]);
    }
  });

  it.each(Object.entries(componentMatrix))('%s:... holds for %s', (beginning, row) => {
    for (const person of people) {
      const rule = deedOfComponent(`${beginning}:17:3`)?.rule;
      if (!rule) throw new Error(`${beginning} has no rule`);
      const refused = refusal(() => checkRole(rule, rolesHeld(carried[person], ids), ids));
      expect([person, refused === null]).toEqual([person, mayUse(row, person)]);
    }
  });

  it('a route is that of the command which does the same', () => {
    const actions = [
      ...Object.keys(commandRules),
      ...Object.keys(componentRules).map((beginning) => beginning.replaceAll(':', ' ')),
    ];
    const alike = Object.entries(routeRules).flatMap(([name, rule]) =>
      'as' in rule ? [[name, rule.as]] : [],
    );
    expect(alike.length).toBeGreaterThan(15);
    expect(alike.filter(([, action]) => !actions.includes(action ?? ''))).toEqual([]);
    expect(Object.keys(routeMatrix).sort()).toEqual(Object.keys(routeRules).sort());
  });

  it('an unknown command or custom id is none', () => {
    expect(deedOfCommand('admin box explode')).toBeNull();
    expect(deedOfCommand('toString')).toBeNull();
    expect(deedOfComponent('admin:box:explode:1')).toBeNull();
    expect(deedOfComponent('constructor')).toBeNull();
    expect(deedOfComponent('')).toBeNull();
  });
});

describe('roles', () => {
  it('are what Discord says; an admin holds all, and nobody holds one that is not set up', () => {
    const none: RoleIds = { admin: '1', creator: null, judge: null, participant: null };
    expect(rolesHeld(['1'], none)).toEqual(['admin', 'creator', 'judge', 'participant']);
    expect(rolesHeld(['2', '3'], none)).toEqual(['participant']);
    expect(rolesHeld([], none)).toEqual(['participant']);
    expect(rolesHeld([], ids)).toEqual([]);
    expect(rolesHeld(['4', '2'], ids)).toEqual(['creator', 'participant']);
  });

  it('are named by a refusal: those that would do and are set up', () => {
    const rule = { for: ['creator', 'judge'] as ContestRole[], changes: true };
    expect(refusal(() => checkRole(rule, ['participant'], ids))?.next).toContain(
      'It needs <@&2> or <@&3> or <@&1>:',
    );
    const few: RoleIds = { ...ids, creator: null, judge: null };
    expect(refusal(() => checkRole(rule, ['participant'], few))?.next).toContain('It needs <@&1>:');
    expect(refusal(() => checkRole(rule, ['judge'], ids))).toBeNull();
  });
});

describe('Discord', () => {
  it('shows the commands of organisers to those alone who manage events', () => {
    const hidden = new Set(['admin', 'judge']);
    for (const { data } of commands) {
      const expected = hidden.has(data.name) ? String(PermissionFlagsBits.ManageEvents) : null;
      expect([data.name, data.default_member_permissions ?? null]).toEqual([data.name, expected]);
    }
  });
});
