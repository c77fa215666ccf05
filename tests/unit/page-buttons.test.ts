import type { APIButtonComponentWithCustomId } from 'discord-api-types/v10';
import { describe, expect, it } from 'vitest';
import { pageButtons } from '../../src/discord/page-buttons.ts';

function buttons(page: number, lastPage: number) {
  return pageButtons(page, lastPage, (to) => `page:${to}`).flatMap((row) =>
    row.toJSON().components.map((item) => {
      const { label, disabled, custom_id } = item as APIButtonComponentWithCustomId;
      return [label, disabled ?? false, custom_id];
    }),
  );
}

describe('page buttons', () => {
  it('are not there where one page holds everything', () => {
    expect(buttons(0, 0)).toEqual([]);
  });

  it('lead to the neighbours, as far as there are any', () => {
    expect(buttons(0, 2)).toEqual([
      ['Back', true, 'page:-1'],
      ['Next', false, 'page:1'],
    ]);
    expect(buttons(1, 2)).toEqual([
      ['Back', false, 'page:0'],
      ['Next', false, 'page:2'],
    ]);
    expect(buttons(2, 2)).toEqual([
      ['Back', false, 'page:1'],
      ['Next', true, 'page:3'],
    ]);
  });
});
