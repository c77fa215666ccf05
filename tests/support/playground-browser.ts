import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const candidates = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Where this machine has Chromium; undefined without one, and then the tests of the page are skipped. */
export const chromiumPath = candidates.find((path) => existsSync(path));
export const skippedWithout = chromiumPath === undefined ? ' (skipped: no Chromium on this machine)' : '';

export function launchBrowser(): Promise<Browser> {
  const quiet =
    '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';
  return chromium.launch({ executablePath: chromiumPath ?? '', args: quiet.split(' ') });
}
