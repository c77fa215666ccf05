/** The stand-in with the test bot on it and three of its people watching: what the playground's own tests play on. */
import { DiscordAPIError, TextChannel } from 'discord.js';
import { type Playground, startPlayground } from '../../src/playground/playground.ts';
import { startTestBot, type TestBot } from './playground-bot.ts';
import { type PlaygroundUser, playgroundUser } from './playground-user.ts';

export interface PlaygroundStage {
  playground: Playground;
  bot: TestBot;
  mira: PlaygroundUser;
  tomas: PlaygroundUser;
  olga: PlaygroundUser;
  /** The contest's channel as the bot has it. */
  channel(): Promise<TextChannel>;
  close(): Promise<void>;
}

export async function startStage(): Promise<PlaygroundStage> {
  const playground = await startPlayground({ port: 0 });
  const bot = await startTestBot(playground);
  const mira = playgroundUser(playground, 'mira');
  const tomas = playgroundUser(playground, 'tomas');
  const olga = playgroundUser(playground, 'olga');
  await Promise.all([mira.watch(), tomas.watch(), olga.watch()]);
  return {
    playground,
    bot,
    mira,
    tomas,
    olga,
    async channel() {
      const found = await bot.client.channels.fetch(playground.channelId);
      if (!(found instanceof TextChannel)) throw new Error('not a text channel');
      return found;
    },
    async close() {
      for (const user of [mira, tomas, olga]) user.close();
      await bot.stop();
      await playground.close();
    },
  };
}

/** The error with which Discord refused. @throws when it did not */
export async function refusal(action: Promise<unknown>): Promise<DiscordAPIError> {
  const error = await action.then(
    () => new Error('it was accepted'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof DiscordAPIError)) throw error;
  return error;
}
