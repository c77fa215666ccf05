import { Routes } from 'discord.js';
import type { APIMessage } from 'discord-api-types/v10';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Playground, startPlayground } from '../../src/playground/playground.ts';
import { startTestBot, type TestBot } from '../support/playground-bot.ts';
import { chromiumPath, launchBrowser, skippedWithout } from '../support/playground-browser.ts';

const screens = [
  { width: 390, height: 844, phone: true },
  { width: 1280, height: 800, phone: false },
];
const nearEndPx = 2;
const longLine = 'a long line of code that goes on '.repeat(8);
const report = Array.from({ length: 30 }, (_, line) => `line ${line}`).join('\n');

const name = `the layout of the page in Chromium${skippedWithout}, on a screen`;

// Each test finds the history as the ones before left it.
describe.skipIf(chromiumPath === undefined).each(screens)(`${name} $width pixels wide`, (screen) => {
  const { width, height, phone } = screen;
  let playground: Playground;
  let bot: TestBot;
  let browser: Browser;

  beforeAll(async () => {
    playground = await startPlayground({ port: 0 });
    bot = await startTestBot(playground);
    browser = await launchBrowser();
    for (const channelId of [playground.channelId, playground.adminChannelId]) {
      for (let number = 0; number < 16; number += 1) await postReports(channelId, number);
    }
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await bot?.stop();
    await playground?.close();
  });

  const open = async (user: string): Promise<Page> => {
    const page = await browser.newPage({ viewport: { width, height }, isMobile: phone, hasTouch: phone });
    await page.goto(`${playground.url}?user=${user}`);
    return page;
  };
  const inSidebar = async (page: Page, click: () => Promise<void>) => {
    if (phone) await page.getByRole('button', { name: 'Channels and users' }).click();
    await click();
  };

  it('shows the newest message on first load, in another channel and to another user', async () => {
    const page = await open('olga');
    await settlesAtEnd(page, 'contest 15');
    await inSidebar(page, () => page.getByRole('button', { name: 'organisers' }).click());
    await settlesAtEnd(page, 'organisers 15');
    await inSidebar(page, () => page.getByRole('radio', { name: 'mira' }).click());
    await settlesAtEnd(page, 'contest 15');
    await page.close();
  }, 30_000);

  it('follows new messages to the end unless the person has scrolled up', async () => {
    const page = await open('mira');
    await settlesAtEnd(page, 'contest 15');
    await postReports(playground.channelId, 16);
    await settlesAtEnd(page, 'contest 16');
    await page.mouse.move(width / 2, height / 2);
    await page.mouse.wheel(0, -900);
    await expect.poll(() => fromEnd(page)).toBeGreaterThan(898);
    const top = await page.locator('.scroller').evaluate((scroller) => scroller.scrollTop);
    await postReports(playground.channelId, 17);
    await previewsLoaded(page, 'contest 17');
    expect(await page.locator('.scroller').evaluate((scroller) => scroller.scrollTop)).toBe(top);
    await page.mouse.wheel(0, 100_000);
    await expect.poll(() => fromEnd(page)).toBeLessThan(nearEndPx);
    await postReports(playground.channelId, 18);
    await settlesAtEnd(page, 'contest 18');
    await page.close();
  }, 30_000);

  it('lets long code scroll inside its block, in embeds, fields and text', async () => {
    const code = `\`\`\`\n${longLine}\n\`\`\``;
    const field = (name: string, inline: boolean) => ({ name, value: code, inline });
    const embed = {
      title: 'Code',
      description: code,
      fields: [field('a', true), field('b', true), field('c', false)],
    };
    await post(playground.channelId, { content: code, embeds: [embed] });
    const page = await open('mira');
    const blocks = page.locator('discord-message').last().locator('.md-pre');
    await expect.poll(() => blocks.count()).toBe(5);
    const sizes = await blocks.evaluateAll((all) =>
      all.map((block) => {
        block.scrollLeft = 50;
        const { left, right } = block.getBoundingClientRect();
        return { left, right, hidden: block.scrollWidth - block.clientWidth, moved: block.scrollLeft };
      }),
    );
    for (const { left, right, hidden, moved } of sizes) {
      expect(left).toBeGreaterThanOrEqual(0);
      expect(right).toBeLessThanOrEqual(width);
      expect(hidden).toBeGreaterThan(0);
      expect(moved).toBe(50);
    }
    const scroller = page.locator('.scroller');
    expect(await scroller.evaluate((one) => one.scrollWidth - one.clientWidth)).toBe(0);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    await page.close();
  }, 30_000);

  it('marks an edited text after its last word, and a message without text not at all', async () => {
    const route = Routes.channelMessages(playground.channelId);
    const embeds = [{ title: 'Result' }];
    const texts = [{ content: 'first words', embeds }, { embeds }];
    const posted: APIMessage[] = [];
    for (const body of texts) posted.push(await post(playground.channelId, body));
    const page = await open('mira');
    const shown = (at: number) => page.locator(`[data-message="${posted[at]?.id}"]`);
    await shown(1).waitFor();
    const heightBefore = (await shown(1).boundingBox())?.height;
    const edit = { embeds: [{ title: 'Better' }] };
    await bot.rest.patch(`${route}/${posted[0]?.id}`, { body: { ...edit, content: 'last words' } });
    await bot.rest.patch(`${route}/${posted[1]?.id}`, { body: edit });
    await shown(1).getByText('Better').waitFor();
    const mark = shown(0).getByText('(edited)');
    await mark.waitFor();
    const [text, beside] = [await shown(0).getByText('last words').boundingBox(), await mark.boundingBox()];
    expect(beside?.x).toBeGreaterThanOrEqual((text?.x ?? 0) + (text?.width ?? 0));
    expect(beside?.y).toBeLessThan((text?.y ?? 0) + (text?.height ?? 0));
    expect(await shown(1).getByText('(edited)').count()).toBe(0);
    expect((await shown(1).boundingBox())?.height).toBe(heightBefore);
    await page.close();
  });

  async function post(channelId: string, body: object, files: { name: string; data: Buffer }[] = []) {
    return (await bot.rest.post(Routes.channelMessages(channelId), { body, files })) as APIMessage;
  }

  function postReports(channelId: string, number: number): Promise<APIMessage> {
    const place = channelId === playground.channelId ? 'contest' : 'organisers';
    const embeds = [{ title: `${place} ${number}`, description: `\`\`\`\n${longLine}\n\`\`\`` }];
    const files = ['a', 'b', 'c'].map((name) => ({ name: `${name}.txt`, data: Buffer.from(report) }));
    return post(channelId, { embeds }, files);
  }
});

async function previewsLoaded(page: Page, title: string): Promise<void> {
  await page.locator('discord-message').last().getByText(title, { exact: true }).waitFor();
  const waiting = page.locator('.text-file code').filter({ hasText: /^…$/ });
  await expect.poll(() => waiting.count()).toBe(0);
}

/** The end is in view once everything has its height, and is still there two frames later. */
async function settlesAtEnd(page: Page, title: string): Promise<void> {
  await previewsLoaded(page, title);
  await expect.poll(() => fromEnd(page)).toBeLessThan(nearEndPx);
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
  expect(await fromEnd(page)).toBeLessThan(nearEndPx);
}

function fromEnd(page: Page): Promise<number> {
  const scroller = page.locator('.scroller');
  return scroller.evaluate((one) => one.scrollHeight - one.scrollTop - one.clientHeight);
}
