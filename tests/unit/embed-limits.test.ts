/** An embed beyond Discord's limits is refused for good, and its result would never arrive. */
import type { APIEmbed } from 'discord-api-types/v10';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/domain/errors.ts';
import { notRanked, type ReasonCode, reasons } from '../../src/domain/not-ranked.ts';
import type { RankingRule } from '../../src/domain/ranking-rule.ts';
import type { Task } from '../../src/domain/task.ts';
import { TEAM_NAME_CHARS } from '../../src/domain/team.ts';
import { announcementEmbed } from '../../src/reports/announcement.ts';
import { BOARD_PAGE, boardEmbed, boardListEmbed, taskEmbed } from '../../src/reports/board-embed.ts';
import { boxListEmbed } from '../../src/reports/box-embed.ts';
import { noticeEmbed, refusalEmbed } from '../../src/reports/notice-embed.ts';
import { ownPlaceEmbed } from '../../src/reports/own-place-embed.ts';
import { submissionEmbed } from '../../src/reports/submission-embed.ts';
import { LIST_PAGE, submissionListEmbed } from '../../src/reports/submission-list-embed.ts';
import {
  TEAM_LIST,
  teamEmbed,
  teamInviteEmbed,
  teamListEmbed,
  teamSharesEmbed,
} from '../../src/reports/team-embed.ts';
import { nastyText, runsOf, submissionView } from './nasty-views.ts';

/** As it is written, the underscores escaped. */
const longestTeam = `a${'_'.repeat(TEAM_NAME_CHARS - 1)}`;

function texts(embed: APIEmbed): string[] {
  const fields = (embed.fields ?? []).flatMap((field) => [field.name, field.value]);
  return [embed.title ?? '', embed.description ?? '', embed.footer?.text ?? '', ...fields];
}

function expectFits(embed: APIEmbed): void {
  expect(embed.title?.length ?? 0).toBeLessThanOrEqual(256);
  expect(embed.description?.length ?? 0).toBeLessThanOrEqual(4096);
  expect(embed.footer?.text.length ?? 0).toBeLessThanOrEqual(2048);
  expect(embed.fields?.length ?? 0).toBeLessThanOrEqual(25);
  for (const field of embed.fields ?? []) {
    expect(field.name.trim()).not.toBe('');
    expect(field.name.length).toBeLessThanOrEqual(256);
    expect(field.value.trim()).not.toBe('');
    expect(field.value.length).toBeLessThanOrEqual(1024);
  }
  expect(texts(embed).join('').length).toBeLessThanOrEqual(6000);
  for (const text of texts(embed)) expect(text.isWellFormed()).toBe(true);
}

/** Every code block is closed, with nothing of its content outside. */
function expectClosedBlocks(text: string): void {
  const fences = text.match(/```/g) ?? [];
  expect(fences.length % 2).toBe(0);
  // Ours stand on lines of their own; one out of the content would not.
  expect(text.split('\n').filter((line) => line === '```')).toHaveLength(fences.length);
}

/** As long as a rule can be. */
const fullRule: RankingRule = {
  score: 'secret',
  windows: true,
  remeasure: { top: 10, everyHours: 6 },
  scorers: Array.from({ length: 20 }, (_, i) => ({
    name: `a-scorer-with-a-long-name-${i}`,
    required: i % 2 === 0,
  })),
  weights: { measured: 0.5, 'a-scorer-with-a-long-name-1': 0.5 },
  reference: 0.001,
  minimumRuns: 3,
  categories: ['language', 'shape'],
  composites: Array.from({ length: 20 }, (_, i) => ({
    name: `all-${i}`,
    combine: 'geom' as const,
    members: Array.from({ length: 50 }, () => ({ leaderboard: 'b'.repeat(100), gpu: 'H100', weight: 0.02 })),
  })),
};
const rules: RankingRule[] = [{}, { score: 'secret' }, fullRule];

describe('an embed fits into Discord’s limits', () => {
  it('of a submission, whatever its GPU types, failures and benchmarks are', () => {
    fc.assert(
      fc.property(submissionView, nastyText(200), (view, spec) => {
        for (const embed of [submissionEmbed(view), submissionEmbed(view, runsOf(view, spec))]) {
          expectFits(embed);
          for (const field of embed.fields ?? []) expectClosedBlocks(field.value);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('of a failure on one GPU type, with its message in a block of its own', () => {
    fc.assert(
      fc.property(
        submissionView,
        fc.constantFrom('`````', 'x'.repeat(5000), 'line\n'.repeat(400)),
        (view, detail) => {
          const [gpu] = view.gpus;
          if (!gpu) return;
          const publicJob = {
            ...gpu.publicJob,
            status: 'finished' as const,
            passed: false,
            failure: { kind: 'wrong' as const, stage: 'test', summary: 'Test 1 of 5 failed', detail },
          };
          const secretJob = gpu.secretJob && { ...gpu.secretJob, status: 'finished' as const };
          const shown = submissionEmbed({ ...view, gpus: [{ ...gpu, publicJob, secretJob }] });
          expectFits(shown);
          const value = shown.fields?.[0]?.value ?? '';
          expectClosedBlocks(value);
          expect(value).toContain('Test 1 of 5 failed');
          expect(value).toContain('\n```\n');
          // The end of a message says most.
          if (detail.startsWith('x')) expect(value.length).toBeGreaterThan(900);
        },
      ),
    );
  });

  it('of teams', () => {
    const long = { id: '9'.repeat(20), at: new Date('2026-07-01') };
    const people = Array.from({ length: 50 }, () => ({ userId: long.id, userName: 'x', joinedAt: long.at }));
    const team = { id: 1, name: longestTeam, founderId: long.id, createdAt: long.at, sharedSince: long.at };
    const place = { leaderboard: '_'.repeat(100), gpuType: '*'.repeat(100), rank: 1e9, submissionId: 1e15 };
    const embed = teamEmbed({
      team,
      members: people,
      places: people.slice(0, 10).map(({ userId }) => ({ ...place, userId })),
      invited: people.slice(0, 10).map(({ userId }) => ({ userId, invitedAt: long.at })),
      rules: { maxMembers: 50, waitDays: 365 },
    });
    expectFits(embed);
    // Whole lines, and how many there are beyond them.
    expect(embed.fields?.[0]?.value).toMatch(/<t:\d+:d>\nand \d+ more$/);
    expectFits(teamInviteEmbed(team, long.id));
    expectFits(teamSharesEmbed(team));
    const teams = Array.from({ length: TEAM_LIST }, () => ({
      ...team,
      founderName: '*'.repeat(32),
      members: 50,
    }));
    const list = teamListEmbed({ teams, total: 1e9, page: 7 }, { maxMembers: 50, waitDays: 365 });
    expectFits(list);
    expect(list.description?.split('\n')).toHaveLength(TEAM_LIST);
  });

  it('of an announcement', () => {
    fc.assert(
      fc.property(submissionView, (view) => {
        expectFits(
          announcementEmbed({ ...view, gpus: view.gpus.map((gpu) => ({ ...gpu, eligible: true })) }),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('of a board', () => {
    const entry = fc.record({
      rank: fc.integer({ min: 1, max: 1e9 }),
      userId: fc.stringMatching(/^\d{17,19}$/),
      userName: nastyText(100),
      submissionId: fc.integer({ min: 1, max: 2 ** 53 - 1 }),
      score: fc.option(fc.double({ min: 1e-12, max: 1e6, noNaN: true })),
      recent: fc.option(fc.double({ min: 1e-12, max: 1e6, noNaN: true })),
      steady: fc.constant(null),
      anchor: fc.constant(1e-3),
      provisional: fc.boolean(),
      achievedAt: fc.constant(new Date('2026-07-01')),
      oldVersion: fc.constantFrom(null, 1, 123_456),
      team: fc.constantFrom(null, { id: 1, name: longestTeam }),
    });
    const page = fc.record({
      leaderboard: fc.stringMatching(/^[A-Za-z0-9_.-]{1,100}$/),
      gpuType: nastyText(300),
      deadline: fc.constantFrom(null, new Date('2020-01-01'), new Date('2090-01-01'), new Date('2100-12-31')),
      scoreAscending: fc.boolean(),
      rule: fc.constantFrom(...rules),
      unit: fc.constantFrom('s', '', 'points', 'x'.repeat(20)),
      asOf: fc.constantFrom(null, new Date('2026-07-02')),
      changes: fc.constant(new Map([['1'.repeat(18), 3]])),
      entries: fc.array(entry, { maxLength: BOARD_PAGE, size: 'max' }),
      total: fc.nat(),
      version: fc.nat(),
      outdated: fc.nat(),
      page: fc.nat(1000),
    });
    fc.assert(fc.property(page, (board) => expectFits(boardEmbed(board))));
    const change = fc.constantFrom('new' as const, 0, 1, -12);
    const reason = fc.constantFrom(
      null,
      ...(Object.keys(reasons) as ReasonCode[]).map((code) => notRanked(code, { stage: 'x'.repeat(300) })),
    );
    fc.assert(
      fc.property(page, fc.option(entry), change, reason, (board, own, moved, cause) => {
        const mine = own && { ...own, total: board.total, unit: board.unit, day: moved, week: moved };
        const about = { leaderboard: board.leaderboard, track: board.gpuType, minimumRuns: 1000 };
        expectFits(ownPlaceEmbed({ ...about, entry: mine, reason: cause }));
      }),
    );
  });

  it('of the list of boards, and says how many it leaves out', () => {
    const board = (index: number, gpus: number) => ({
      name: `${'board'.repeat(15)}-${index}`,
      unit: 'tokens/s',
      deadline: new Date('2090-01-01'),
      gpus: Array.from({ length: gpus }, (_, i) => ({
        gpuType: `GPU${i}`,
        entries: i,
        bestScore: i === 0 ? null : 1e-3 * i,
      })),
    });
    for (const [boards, gpus] of [
      [0, 0],
      [3, 2],
      [100, 7],
      [3, 300],
    ] as const) {
      const all = Array.from({ length: boards }, (_, index) => board(index, gpus));
      const embed = boardListEmbed(all);
      expectFits(embed);
      const shown = all.filter((item) => embed.description?.includes(item.name)).length;
      expect(shown).toBeGreaterThanOrEqual(Math.min(1, boards));
      if (shown < boards) expect(embed.footer?.text).toContain(`and ${boards - shown} more`);
      else expect(embed.footer).toBe(undefined);
    }
  });

  it('of a task with many cases, GPU types and templates', () => {
    const task = {
      description: 'words '.repeat(2000),
      tests: Array.from({ length: 60 }, (_, i) => `size: ${i}; case: lapack_dense_even_spectrum; seed: ${i}`),
      benchmarks: Array.from({ length: 60 }, (_, i) => `size: ${i}; case: \`\`\`\`\`; seed: ${i}`),
      submissionFile: 'submission.py',
      files: Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`folder/file-${i}.py`, 'x'])),
      templates: Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`Language${i}`, 'x'])),
      rankingBy: 'geom',
      scoreAscending: true,
      testTimeoutS: 86_400,
      benchmarkTimeoutS: 86_400,
      rankedTimeoutS: 86_400,
    } as unknown as Task;
    const gpus = Array.from({ length: 200 }, (_, i) => `LONG_GPU_NAME_${i}`);
    const embed = taskEmbed({
      name: 'b'.repeat(100),
      deadline: new Date('2090-01-01'),
      gpus,
      version: 3,
      task,
      rule: fullRule,
    });
    expectFits(embed);
    for (const field of embed.fields ?? []) expectClosedBlocks(field.value);
    const small = { ...task, description: 'Sort.', tests: [], benchmarks: ['n: 1'], templates: {} };
    expectFits(
      taskEmbed({ name: 'sort', deadline: null, gpus: ['H100'], version: 1, task: small, rule: {} }),
    );
  });

  it('of one’s own submissions, every one of a full page in it', () => {
    const items = Array.from({ length: LIST_PAGE }, (_, index) => ({
      id: 9_007_199_254_740_000 + index,
      userId: '9'.repeat(20),
      leaderboard: 'under_score_'.repeat(8),
      fileName: 'f'.repeat(120),
      mode: 'leaderboard' as const,
      status: 'failed' as const,
      reason: '*'.repeat(3000),
      createdAt: new Date('2026-07-01'),
      gpus: Array.from({ length: 12 }, (_, i) => ({
        gpuType: `LONG_GPU_NAME_${i}`.padEnd(40, 'X'),
        publicScore: 1e-3,
        secretScore: 2e-3,
        eligible: false,
      })),
    }));
    for (const team of [null, 'W'.repeat(32)]) {
      const embed = submissionListEmbed({ items, total: 1e6, page: 3, filtered: false, team });
      expectFits(embed);
      for (const item of items) expect(embed.description).toContain(`#${item.id}`);
      expectFits(submissionListEmbed({ items: [], total: 0, page: 0, filtered: true, team }));
    }
  });

  it('of boxes, notices and refusals', () => {
    fc.assert(
      fc.property(nastyText(6000), (text) => {
        const box = {
          name: 'b'.repeat(40),
          kind: 'ssh',
          address: text,
          gpuTypes: ['H100'],
          slots: 1,
          state: 'offline',
          problem: text,
          probe: null,
          running: 0,
        };
        expectFits(boxListEmbed(Array(30).fill(box)));
        expectFits(noticeEmbed(text || 'x', text));
        expectFits(refusalEmbed(new UserError('unknown-gpu', { leaderboard: text, gpu: text, gpus: text })));
      }),
    );
  });
});
