/** Every command as every role and every route as every caller, against the matrix; each ends in a sentence. */
import type { APIMessage } from 'discord-api-types/v10';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiStage, apiStage, withoutScheduler } from '../support/api-stage.ts';
import {
  callers,
  commandMatrix,
  mayUse,
  type PersonKind,
  people,
  routeMatrix,
} from '../support/command-matrix.ts';
import { samples } from '../support/organiser-samples.ts';
import { isEphemeral, isThinking, textOf } from '../support/playground-message.ts';
import { type PlaygroundUser, playgroundUser, RefusedByClient } from '../support/playground-user.ts';

const DEADLINE_MS = 60_000;

let stage: ApiStage;
let person: Record<PersonKind, PlaygroundUser>;

beforeAll(async () => {
  stage = await apiStage({ env: withoutScheduler });
  const { playground, users } = stage.running;
  person = {
    admin: users.admin,
    participant: users.first,
    creator: playgroundUser(playground, 'carla'),
    judge: playgroundUser(playground, 'judith'),
    visitor: playgroundUser(playground, 'sam'),
  };
});
afterAll(async () => {
  for (const user of Object.values(person)) user.close();
  await stage.stop();
});

/** What the person reads in the end, whichever message it is in; `form` where one opens. */
async function say(
  user: PlaygroundUser,
  command: string,
): Promise<{ text: string; message: APIMessage | null }> {
  const before = new Set((await user.visibleMessages()).map((message) => message.id));
  const handle = await user.slash(`/${command}`, samples[command] ?? {});
  expect(handle.failure).toBeUndefined();
  if (handle.outcome.state === 'answered' && handle.outcome.modal) return { text: 'form', message: null };
  for (const end = Date.now() + DEADLINE_MS; Date.now() < end; ) {
    const fresh = (await user.visibleMessages()).filter((message) => !before.has(message.id));
    const said = fresh.find((message) => !isThinking(message));
    if (said) return { text: textOf(said), message: said };
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`/${command} was never answered`);
}

describe('every command', () => {
  it('has something to say in this test', () => {
    expect(Object.keys(samples).sort()).toEqual(Object.keys(commandMatrix).sort());
  });

  it.each(people)('is for a %s what the matrix says, and ends in a sentence', async (kind) => {
    const user = person[kind];
    const wrong: string[] = [];
    for (const [command, row] of Object.entries(commandMatrix)) {
      const allowed = mayUse(row, kind);
      try {
        const { text, message } = await say(user, command);
        const refused = text.includes('You do not have the role for this');
        if (refused === allowed) wrong.push(`/${command} as ${kind}: ${text}`);
        if (refused && !/It needs <@&\d+>/.test(text)) wrong.push(`/${command} names no role: ${text}`);
        if (refused && message && !isEphemeral(message)) wrong.push(`/${command} is refused in public`);
        // A picture or a file has no words of its own.
        const isSaid = text.trim() !== '' || (message?.attachments.length ?? 0) > 0;
        if (!isSaid || text.includes('Something broke')) wrong.push(`/${command} as ${kind} says: ${text}`);
      } catch (error) {
        // Discord does not show it to them at all.
        const hidden = error instanceof RefusedByClient && /^(admin|judge) /.test(command) && !allowed;
        if (!hidden) throw error;
        if (!['participant', 'visitor'].includes(kind)) wrong.push(`/${command} is hidden from ${kind}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('suggests nothing to whoever may not use it', async () => {
    const command = '/admin box drain';
    expect(await person.creator.autocomplete(command, { focused: 'name', value: '' })).toEqual([]);
    const boards = await person.admin.autocomplete('/admin leaderboard open', {
      focused: 'leaderboard',
      value: 'lab',
    });
    expect(boards.map((choice) => choice.value)).toContain('lab');
    const own = await person.creator.autocomplete('/admin leaderboard open', {
      focused: 'leaderboard',
      value: '',
    });
    expect(own).toEqual([]);
  });
});

describe('every route', () => {
  it('is for each caller what the matrix says', async () => {
    const clients = { 'admin token': stage.admin, account: stage.alice, nobody: stage.anyone };
    const wrong: string[] = [];
    for (const [name, row] of Object.entries(routeMatrix)) {
      const [method = '', path = ''] = name.split(' ');
      const url = path.replace(/:\w+/g, 'nothing').replace('/:id', '/999999');
      for (const [index, caller] of callers.entries()) {
        const answer = await clients[caller].call(method, url);
        const allowed = row.split(' ')[index] === '+';
        const refused = ['unauthorized', 'no-user'].includes(
          /"code": ?"([\w-]+)"/.exec(answer.text)?.[1] ?? '',
        );
        if (refused === allowed || answer.status >= 500)
          wrong.push(`${name} as ${caller}: ${answer.status} ${answer.text.slice(0, 200)}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});
