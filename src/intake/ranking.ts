/**
 * Changing how a board ranks: read what somebody wrote, refuse what does not fit the board with every reason at once, show
 * what would move, and put it in force. Whatever door asks, it is these functions.
 */
import { parseDocument } from 'yaml';
import type { ChangeRecord } from '../db/audit.ts';
import type { Sql } from '../db/client.ts';
import {
  findRankedBoard,
  loadBoardFacts,
  type PlaceChange,
  previewRankingRule,
  type RankedBoard,
  setRankingRule,
} from '../db/ranking.ts';
import { UserError } from '../domain/errors.ts';
import { rankingFaults } from '../domain/ranking-faults.ts';
import { type RankingRule, readRankingRule } from '../domain/ranking-rule.ts';

/** Longer than any rule that makes sense. */
export const MAX_RULE_BYTES = 20_000;

/** A rule that fits its board, and what it would change there. Nothing is stored. */
export interface RuleDraft {
  board: RankedBoard;
  rule: RankingRule;
  changes: PlaceChange[];
}

/** @throws UserError for a board that is not there */
export async function getRankedBoard(sql: Sql, name: string): Promise<RankedBoard> {
  const board = await findRankedBoard(sql, name);
  if (!board) throw new UserError('no-such-board', { leaderboard: name });
  return board;
}

/** `text` is YAML or JSON; `default` alone is the default. What is wrong comes back as sentences, all of them. */
export async function draftRule(
  sql: Sql,
  leaderboard: string,
  text: string,
): Promise<RuleDraft | { board: RankedBoard; faults: string[] }> {
  const board = await getRankedBoard(sql, leaderboard);
  const read = readRule(text);
  if ('faults' in read) return { board, faults: read.faults };
  const faults = rankingFaults(read.rule, await loadBoardFacts(sql, board));
  if (faults.length > 0) return { board, faults };
  return { board, rule: read.rule, changes: await previewRankingRule(sql, board, read.rule) };
}

function readRule(text: string): { rule: RankingRule } | { faults: string[] } {
  if (text.trim().toLowerCase() === 'default') return { rule: {} };
  if (Buffer.byteLength(text) > MAX_RULE_BYTES)
    return { faults: [`The rule is longer than ${MAX_RULE_BYTES} bytes. Leave out what says the default.`] };
  const document = parseDocument(text, { maxAliasCount: 0 } as object);
  const [error] = document.errors;
  if (error) {
    if (error.code === 'MULTIPLE_DOCS')
      return { faults: ['There are several rules, apart by `---`. Leave the one that is meant.'] };
    const line = error.linePos?.[0].line ?? 1;
    const what = error.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '');
    return { faults: [`This is neither YAML nor JSON: ${what} (line ${line}).`] };
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: 0 });
    // An empty file is a slip more likely than a wish.
    if (value === null) return { faults: ['The rule is empty. Write `default` alone for the default.'] };
    return readRankingRule(value);
  } catch {
    return { faults: ['The rule uses YAML aliases. Write everything out.'] };
  }
}

/** Puts a drafted rule in force. @throws UserError when the board has changed so that it no longer fits */
export async function applyRule(sql: Sql, draft: RuleDraft, record?: ChangeRecord): Promise<void> {
  await sql.begin(async (tx) => {
    const board = await findRankedBoard(tx, draft.board.name);
    if (board?.id !== draft.board.id) throw new UserError('choice-expired');
    const faults = rankingFaults(draft.rule, await loadBoardFacts(tx, board));
    if (faults.length > 0) throw new UserError('choice-expired');
    await setRankingRule(tx, board, draft.rule);
    await record?.note(tx, {
      subject: `leaderboard ${board.name}`,
      before: { ranking: JSON.stringify(board.rule) },
      after: { ranking: JSON.stringify(draft.rule) },
    });
  });
}
