import { Routes } from 'discord.js';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Playground, startPlayground } from '../../src/playground/playground.ts';
import { startTestBot, type TestBot } from '../support/playground-bot.ts';
import { chromiumPath, launchBrowser, skippedWithout } from '../support/playground-browser.ts';
import { refusal } from '../support/playground-stage.ts';
import { playgroundUser } from '../support/playground-user.ts';

describe.skipIf(chromiumPath === undefined)(`the playground page in Chromium${skippedWithout}`, () => {
  let playground: Playground;
  let bot: TestBot;
  let browser: Browser;
  let page: Page;
  const troubles: string[] = [];

  beforeAll(async () => {
    playground = await startPlayground({ port: 0 });
    bot = await startTestBot(playground);
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1200, height: 800 } });
    page.on('pageerror', (error) => troubles.push(error.message));
    page.on('console', (message) => message.type() === 'error' && troubles.push(message.text()));
    page.on('request', (request) => {
      const isOurs = request.url().startsWith(playground.url) || request.url().startsWith('data:');
      if (!isOurs) troubles.push(`request to ${request.url()}`);
    });
    await page.goto(playground.url);
    await page.getByText('Welcome to #contest!').waitFor();
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await bot?.stop();
    await playground?.close();
    // Nothing went wrong unseen, and nothing was fetched from anywhere else.
    expect(troubles).toEqual([]);
  });

  it('runs a slash command by keyboard, with a file and an option completed by the bot', async () => {
    await page.getByRole('textbox', { name: 'Message' }).pressSequentially('/sub');
    await page.getByRole('option', { name: '/submit' }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByText('Drop a file here').waitFor();
    const file = { name: 'kernel.py', mimeType: 'text/x-python', buffer: Buffer.from('print(1)\n') };
    await page.locator('input[type=file]').setInputFiles(file);
    await page.getByText('kernel.py').waitFor();
    await page.keyboard.type('bo');
    await page.keyboard.press('Enter');
    await page.keyboard.type('s');
    await page.getByRole('option', { name: 'softmax (open)' }).waitFor();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    await page.getByText('done: 9 characters').waitFor();
    await page.getByText('Only you can see this').waitFor();
    await page.getByText('report of').waitFor();
  });

  it('offers the very command first, then the shortest name that begins as typed', async () => {
    const textbox = page.getByRole('textbox', { name: 'Message' });
    const offered = async (typed: string, first: string) => {
      await textbox.fill(typed);
      await page.getByRole('option', { selected: true }).getByText(first, { exact: true }).waitFor();
      return page.locator('.suggest-title').allTextContents();
    };
    expect(await offered('/sub', '/submit')).toEqual(['/submit', '/submissions mine']);
    expect(await offered('/submissions', '/submissions mine')).toEqual(['/submissions mine']);
    // A later word that begins so comes before one that merely contains it.
    expect(await offered('/m', '/menu')).toEqual(['/menu', '/submissions mine', '/submit']);
    await textbox.fill('');
  });

  it('says which required option is missing instead of sending', async () => {
    await page.getByRole('textbox', { name: 'Message' }).pressSequentially('/submit ');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('file: this option is required').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('textbox', { name: 'Message' }).waitFor();
  });

  it('shows another user neither the ephemeral message nor the organisers’ channel', async () => {
    await page.getByRole('radio', { name: 'tomas' }).click();
    await page.getByText('You are tomas').waitFor();
    await page.getByText('submitted').waitFor();
    expect(await page.getByText('done: 9 characters').count()).toBe(0);
    expect(await page.getByText('organisers', { exact: true }).count()).toBe(0);
    await page.getByRole('radio', { name: 'olga' }).click();
    await page.getByText('organisers', { exact: true }).waitFor();
  });

  it('presses a button and follows the edit, and chooses in a menu', async () => {
    await page.getByRole('radio', { name: 'mira' }).click();
    await page.getByText('You are mira').waitFor();
    await (await playgroundUser(playground, 'tomas').slash('/menu')).reply();
    await page.getByRole('button', { name: 'Count' }).click();
    await page.getByText('pressed by mira').waitFor();
    await page.getByRole('button', { name: 'Which GPU?' }).click();
    await page.getByRole('option', { name: 'B200' }).click();
    await page.locator('.channel-header').click();
    await page.getByText('chosen: b200').waitFor();
  });

  it('fills in a form', async () => {
    await page.getByRole('textbox', { name: 'Message' }).pressSequentially('/feedback ');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByLabel('What?').fill('fine');
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.getByText('thank you for “fine”').waitFor();
  });

  it('lists the threads of a forum, opens one, and shows what comes in elsewhere as unread', async () => {
    const post = async (name: string, content: string) => {
      const body = { name, message: { content } };
      return (await bot.rest.post(Routes.threads(playground.forumChannelId), { body })) as { id: string };
    };
    const softmax = await post('softmax', 'Apply **softmax** to each row.\n```py\ndef custom_kernel(x)\n```');
    await page.getByRole('button', { name: /^leaderboards/ }).click();
    const card = page.locator('.forum-card', { hasText: 'softmax' });
    await card.getByText('Apply softmax to each row.', { exact: true }).waitFor();
    expect(await page.getByRole('textbox', { name: 'Message' }).isVisible()).toBe(false);
    await card.click();
    await page.locator('discord-message', { hasText: 'def custom_kernel(x)' }).waitFor();
    await page.getByRole('button', { name: /^contest/ }).click();
    await bot.rest.post(Routes.channelMessages(softmax.id), { body: { content: 'News of it' } });
    await page.locator('.channel-thread.unread', { hasText: 'softmax' }).click();
    await page.getByText('News of it').waitFor();
    await page.getByRole('button', { name: /^contest/ }).click();
    await bot.rest.delete(Routes.channel(playground.forumChannelId));
    await page.getByRole('button', { name: /^leaderboards/ }).waitFor({ state: 'detached' });
    expect((await refusal(bot.rest.get(Routes.channel(softmax.id)))).code).toBe(10003);
  });

  it('renders markup in messages as text, whoever wrote it', async () => {
    const markup = '<img src=x onerror="document.title=`hacked`"> [click](javascript:alert(1)) **bold**';
    const body = {
      content: markup,
      embeds: [{ title: markup, description: markup, fields: [{ name: markup, value: markup }] }],
    };
    await bot.rest.post(Routes.channelMessages(playground.channelId), { body });
    const shown = page.locator('discord-message', { hasText: 'onerror' });
    await shown.waitFor();
    expect(await shown.locator('strong').count()).toBe(5);
    expect(await shown.locator('img[src=x], a[href^="javascript"]').count()).toBe(0);
    expect(await page.title()).toBe('#contest | Hotlap playground');
  });
});
