/** What threads and podium announcements say. */
import type { APIEmbed } from 'discord-api-types/v10';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BoardNews } from '../../src/domain/board-news.ts';
import { type PodiumPlace, samePlaces } from '../../src/domain/podium.ts';
import { taskChanges } from '../../src/domain/task-changes.ts';
import { overtakenNotice } from '../../src/reports/personal-notice.ts';
import { ordinal, podiumEmbed } from '../../src/reports/podium-embed.ts';
import { boardNewsEmbed, channelTroubleEmbed, threadEmbed } from '../../src/reports/thread-embed.ts';
import { plainTask } from '../db/scene.ts';
import { nastyText } from './nasty-views.ts';

const place = (rank: number, userId: string, score: number | null): PodiumPlace => ({
  userId,
  userName: `user ${userId}`,
  submissionId: Number(userId),
  rank,
  score,
  provisional: false,
});

function lines(before: PodiumPlace[], after: PodiumPlace[], scoreAscending = true): string[] {
  const changes = [{ gpuType: 'H100', before, after }];
  const embed = podiumEmbed({
    leaderboard: 'lab',
    scoreAscending,
    unit: scoreAscending ? 's' : 'points',
    changes,
  });
  return [embed.title ?? '', ...(embed.description ?? '').split('\n')];
}

describe('a podium', () => {
  it('says who passed whom, by how much, and who is off', () => {
    const before = [place(1, '1', 1), place(2, '2', 2), place(3, '3', 4)];
    const after = [place(1, '4', 0.5), place(2, '1', 1), place(3, '2', 2)];
    expect(lines(before, after)).toEqual([
      '🏆 user 4 leads lab · H100',
      '🥇 <@4> **500.0 ms** · new here, past <@1> by 500.0 ms (50 %)',
      '🥈 <@1> **1.000 s** (+100 %) · ▼ from 1st',
      '🥉 <@2> **2.000 s** (+300 %) · ▼ from 2nd',
      'Off the podium: <@3> (was 3rd)',
    ]);
    expect(lines([], [place(1, '1', 1)])[0]).toBe('🏆 user 1 opens lab · H100');
  });

  it('says nothing of passing where somebody was taken out, and knows ties and scores that grow', () => {
    const before = [place(1, '1', 1), place(2, '2', 2), place(3, '3', 4)];
    expect(lines(before, [place(1, '2', 2), place(2, '3', 4)])).toEqual([
      '🏆 user 2 leads lab · H100',
      '🥇 <@2> **2.000 s** · ▲ from 2nd',
      '🥈 <@3> **4.000 s** (+100 %) · ▲ from 3rd',
      'Off the podium: <@1> (was 1st)',
    ]);
    const tie = [place(1, '1', 1), place(1, '2', 1), place(3, '3', 4)];
    expect(lines(before, tie).slice(0, 3)).toEqual([
      '🏆 New podium on lab · H100',
      '🥇 <@1> **1.000 s**',
      '🥇 <@2> **1.000 s** · ▲ from 2nd',
    ]);
    const up = lines([place(1, '1', 10)], [place(1, '2', 12), place(2, '1', 10)], false);
    expect(up.slice(1)).toEqual([
      '🥇 <@2> **12 points** · new here, past <@1> by 2 points (20 %)',
      '🥈 <@1> **10 points** (−17 %) · ▼ from 1st',
    ]);
    const web = { ...place(1, '7', null), userId: 'github:7', userName: 'a_b' };
    expect(lines([], [web])[1]).toBe('🥇 **a\\_b** **—**');
  });

  it('has a team as one, whichever of its members made the entry', () => {
    const ofTeam = (entry: PodiumPlace): PodiumPlace => ({ ...entry, teamId: 7, teamName: 'Warp_Drive' });
    const before = [ofTeam(place(1, '1', 1)), place(2, '2', 2)];
    const handed = [ofTeam(place(1, '3', 0.5)), place(2, '2', 2)];
    expect(samePlaces(before, handed)).toBe(true);
    const passed = lines(before, [place(1, '2', 0.25), ofTeam(place(2, '3', 0.5))]);
    expect(passed).toEqual([
      '🏆 user 2 leads lab · H100',
      '🥇 <@2> **250.0 ms** · ▲ from 2nd, past **Warp\\_Drive** (<@3>) by 250.0 ms (50 %)',
      '🥈 **Warp\\_Drive** (<@3>) **500.0 ms** (+100 %) · ▼ from 1st',
    ]);
    expect(lines([], [ofTeam(place(1, '1', 1))])[0]).toBe('🏆 Warp\\_Drive opens lab · H100');
  });

  it('is the same one when somebody who stands there founds, joins or leaves a team', () => {
    const ofTeam = (entry: PodiumPlace): PodiumPlace => ({ ...entry, teamId: 7, teamName: 'Warp' });
    const alone = [place(1, '1', 1), place(2, '2', 2)];
    const founded = [ofTeam(place(1, '1', 1)), place(2, '2', 2)];
    expect([samePlaces(alone, founded), samePlaces(founded, alone)]).toEqual([true, true]);
    // The entry of a mate stands there while the one who was first is in none any more.
    const parted = [ofTeam(place(1, '3', 1.5)), place(2, '1', 2)];
    expect(samePlaces(founded, parted)).toBe(false);
    const other = [{ ...place(1, '1', 1), teamId: 8, teamName: 'Other' }, place(2, '2', 2)];
    expect(samePlaces(founded, other)).toBe(false);
    expect(lines([place(1, '1', 1)], [place(1, '2', 0.5), ofTeam(place(2, '1', 1))]).slice(1)).toEqual([
      '🥇 <@2> **500.0 ms** · new here, past **Warp** (<@1>) by 500.0 ms (50 %)',
      '🥈 **Warp** (<@1>) **1.000 s** (+100 %) · ▼ from 1st',
    ]);
  });

  it('is another one by its places alone', () => {
    const a = [place(1, '1', 1), place(2, '2', 2)];
    expect(samePlaces(a, [place(1, '1', 0.5), place(2, '2', 2)])).toBe(true);
    expect(samePlaces(a, [place(1, '1', 1), place(1, '2', 1)])).toBe(false);
    expect([1, 2, 3, 4, 11, 12, 13, 21, 22, 103].map(ordinal)).toEqual([
      '1st',
      '2nd',
      '3rd',
      '4th',
      '11th',
      '12th',
      '13th',
      '21st',
      '22nd',
      '103rd',
    ]);
  });
});

const board = {
  name: 'lab',
  deadline: new Date('2031-01-01T12:00:00Z'),
  stage: 'open' as const,
  late: 'refused' as const,
  gpus: ['CPU'],
  version: 2,
  task: plainTask,
  rule: {},
};
const told: BoardNews & { visibility: 'public' } = {
  visibility: 'public',
  stage: 'open',
  late: 'refused',
  ranking: {},
  taskVersionId: 1,
  deadline: '2030-01-01T12:00:00.000Z',
  gpus: ['CPU'],
};

describe('the news of a board', () => {
  it('are what differs, and nothing where nothing does', () => {
    expect(boardNewsEmbed(board, told, told, null)).toBeNull();
    const text = (news: Partial<typeof told>, task: Parameters<typeof boardNewsEmbed>[3] = null) =>
      boardNewsEmbed(board, told, { ...told, ...news }, task)?.description;
    expect(text({ deadline: '2031-01-01T12:00:00.000Z' })).toBe(
      '⏰ **The deadline is later**: <t:1925035200:F>, <t:1925035200:R>. It was <t:1893499200:f>.',
    );
    expect(text({ deadline: '2029-01-01T12:00:00.000Z' })).toContain('is earlier');
    expect(text({ deadline: null })).toContain('No deadline any more');
    expect(text({ stage: 'archived' })).toContain('Archived');
    expect(text({ late: 'unofficial' })).toContain('ranked nowhere');
    expect(text({ gpus: ['H100', 'CPU'] })).toContain('new: `H100`');
    expect(text({ ranking: { minimumRuns: 3 } })).toContain('It ranks by another rule');
    const tests = { changes: taskChanges(plainTask, { ...plainTask, tests: ['n: 2'] }) };
    expect(text({ taskVersionId: 2 }, tests)).toContain('`tests`. New submissions are judged by it');
    const words = { changes: taskChanges(plainTask, { ...plainTask, description: 'Do it well.' }) };
    expect(text({ taskVersionId: 2 }, words)).toContain('Scores stay comparable');
    expect(boardNewsEmbed(board, told, { visibility: 'closed' }, null)?.description).toContain('invited');
    expect(boardNewsEmbed(board, { visibility: 'closed' }, told, null)?.description).toContain('everybody');
  });

  it('fit into an embed, whatever a statement, a name or Discord says', () => {
    const size = (embed: APIEmbed) =>
      [
        embed.title,
        embed.description,
        embed.footer?.text,
        ...(embed.fields ?? []).flatMap((f) => [f.name, f.value]),
      ]
        .map((text) => text?.length ?? 0)
        .reduce((a, b) => a + b, 0);
    fc.assert(
      fc.property(nastyText(6000), nastyText(300), (description, name) => {
        const nasty = { ...board, name: 'x'.repeat(100), task: { ...plainTask, description } };
        const gpus = Array.from({ length: 40 }, (_, at) => `${name.slice(0, 30)}${at}`);
        const user = { ...place(1, '1', 1), userId: 'github:1', userName: name };
        const changes = Array.from({ length: 30 }, (_, at) => ({
          gpuType: `${name.slice(0, 100)} ${at}`,
          before: [user, user, user],
          after: [{ ...user, userId: 'github:2' }, user, user],
        }));
        const overtaken = {
          leaderboard: nasty.name,
          gpuType: name.slice(0, 100),
          scoreAscending: true,
          unit: 's',
        };
        for (const embed of [
          threadEmbed({ ...nasty, gpus }),
          boardNewsEmbed({ ...nasty, gpus }, told, { ...told, gpus }, null),
          podiumEmbed({ leaderboard: nasty.name, scoreAscending: true, unit: 's', changes }),
          overtakenNotice({ ...overtaken, rankBefore: 1, rank: 2, score: 2, ahead: user }),
          channelTroubleEmbed({ channelId: '1', purpose: 'forum', words: name }),
        ]) {
          if (!embed) throw new Error('nothing was said');
          expect(size(embed)).toBeLessThanOrEqual(6000);
          expect(embed.title?.length ?? 0).toBeLessThanOrEqual(256);
          expect(embed.description?.length ?? 0).toBeLessThanOrEqual(4096);
          for (const field of embed.fields ?? []) expect(field.value.length).toBeLessThanOrEqual(1024);
          expect(JSON.stringify(embed).isWellFormed()).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });
});
