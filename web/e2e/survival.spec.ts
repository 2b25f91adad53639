import type { Page } from '@playwright/test';
import { Apart } from './apart';
import { Chance } from './chance';
import { age, heard, listenIn, sayOnline, setClock } from './ear';
import { axeInBothThemes, expect, prompt, run, screen, test as base } from './rig';

const MINUTE = 60_000;
const LINES = 600;

const test = base.extend<{ apart: Apart }>({
  apart: async ({ page }, use) => {
    await listenIn(page);
    const apart = await Apart.start();
    await apart.open(page);
    await use(apart);
    await apart.remove();
  },
});

const bar = (page: Page) => page.locator('[data-bar="connection"]');

/** Says n1, n2 and so on, and afterwards what was typed meanwhile, which nothing echoes. */
async function startCounting(page: Page, lines = LINES): Promise<void> {
  await run(page, `stty -echo; (for i in $(seq ${lines}); do echo n$i; sleep 0.02; done; echo all-said) & read -r x; wait; echo "got=$x="`);
  await counted(page, 10);
}

async function counted(page: Page, lines: number): Promise<void> {
  await expect.poll(async () => (await heard(page)).next, { timeout: 60_000 }).toBeGreaterThan(lines);
}

/** Types piece by piece without waiting for anything. */
async function type(page: Page, text: string): Promise<void> {
  await page.keyboard.type(text, { delay: 30 });
}

async function connected(page: Page): Promise<void> {
  await expect(page.locator('.status-line')).toContainText('Connected', { timeout: 60_000 });
  await expect(bar(page)).toHaveCount(0);
}

/** All that the terminal holds, by way of the clipboard. */
async function scrollback(page: Page): Promise<string[]> {
  await page.keyboard.press('Control+Shift+K');
  await page.keyboard.type('select everything');
  await page.keyboard.press('Enter');
  await expect(page.locator('.toast')).toContainText(/Copied \d+ lines/);
  const text = await page.evaluate(() => navigator.clipboard.readText());
  return text.split(/\r?\n/).map((line) => line.trimEnd());
}

/** Every number once and in order, in the stream and on the screen; what was typed, once; one stream. */
async function expectWhole(page: Page, typed: string, lines = LINES): Promise<void> {
  await page.keyboard.press('Enter');
  await expect(screen(page)).toContainText(`got=${typed}=`, { timeout: 90_000 });
  const all = await heard(page);
  expect(all.faults).toEqual([]);
  expect(all.next).toBe(lines + 1);
  expect(all).toMatchObject({ attached: 1, snapshots: 1, ends: [] });
  const shown = (await scrollback(page)).filter((line) => /^n\d+$/.test(line));
  expect(shown).toEqual(Array.from({ length: lines }, (_, at) => `n${at + 1}`));
}

test('a Hub killed and started again: each number once and in order, typed text once, the same channel', async ({ page, apart }) => {
  await startCounting(page);
  await type(page, 'before-');
  await apart.killHub();
  await type(page, 'during-');
  await expect(bar(page)).toContainText('Reconnecting…');
  await axeInBothThemes(page, 'hub-killed');
  await type(page, 'more-');
  await apart.startHub();
  await connected(page);
  await type(page, 'after');
  await expectWhole(page, 'before-during-more-after');
  expect(apart.wire.count('open')).toBe(1);
  expect(apart.wire.count('renew')).toBeGreaterThanOrEqual(1);
  expect(new Set((await heard(page)).states.slice(-2))).toEqual(new Set(['reconnecting', 'ready']));
});

test('a wire cut twenty times at random moments loses nothing and doubles nothing', async ({ page, apart }) => {
  const chance = new Chance();
  await startCounting(page, 1_000);
  const letters = 'abcdefghijklmnopqrst';
  for (const letter of letters) {
    await page.waitForTimeout(chance.between(0, 500));
    apart.wire.cut();
    await page.keyboard.type(letter);
    await page.waitForTimeout(chance.between(0, 100));
    apart.wire.mend();
    await sayOnline(page);
    // Now and then the next cut comes into the middle of the renewal.
    if (chance.between(0, 2) === 0) await connected(page);
  }
  await connected(page);
  await expectWhole(page, letters, 1_000);
  expect(apart.wire.count('open')).toBe(1);
});

test('a wire that carries nothing more and does not break is noticed within 25 s', async ({ page, apart }) => {
  await startCounting(page, 1_500);
  apart.wire.freeze();
  const frozenAt = Date.now();
  await type(page, 'kept');
  await expect(bar(page)).toContainText('Reconnecting…', { timeout: 40_000 });
  const noticed = Date.now() - frozenAt;
  console.log(`  noticed after ${noticed} ms`);
  // A ping each 15 s that is given 10 s; 2 s for a busy machine.
  expect(noticed).toBeLessThan(27_000);
  await connected(page);
  await expectWhole(page, 'kept', 1_500);
  expect(apart.wire.count('open')).toBe(1);
});

test('a Worker whose link is cut keeps its channels', async ({ page, apart }) => {
  await startCounting(page);
  apart.link.cut();
  await expect(bar(page)).toContainText('Reconnecting…');
  await type(page, 'while-away');
  apart.link.mend();
  await connected(page);
  await expectWhole(page, 'while-away');
  expect(apart.wire.count('open')).toBe(1);
  expect(apart.wire.count('renew')).toBeGreaterThanOrEqual(1);
});

test('a Worker killed and started again: a fresh channel, and the last screen stays as lost', async ({ page, apart }) => {
  await run(page, 'echo before-$((6*7))');
  await expect(screen(page)).toContainText('before-42');
  await apart.killWorker();
  await expect(bar(page)).toContainText('Reconnecting…');
  apart.startWorker();
  await connected(page);
  expect(apart.wire.count('open')).toBe(2);
  const over = page.locator('[data-bar="lost"], [data-bar="gone"]');
  await expect(over).toContainText('This is its last screen.');
  await expect(screen(page)).toContainText('before-42');
  await over.getByRole('button', { name: 'New terminal' }).click();
  await expect(over).toHaveCount(0);
  await prompt(page);
  await run(page, 'echo after-$((6*8))');
  await expect(screen(page)).toContainText('after-48');
});

test('a terminal that says too much meanwhile shows its right last screen', async ({ page, apart }) => {
  test.setTimeout(240_000);
  // It says more and more until it is told to come to its end, and leaves word when all is said.
  await run(page, 'read -r x; until [ -e ~/stop ]; do seq 1 20000; done; seq 1 400000; touch ~/all-said; echo the-end-$((6*7))');
  apart.wire.cut();
  await expect(bar(page)).toContainText('Reconnecting…');
  apart.wire.mend();
  await connected(page);
  await page.keyboard.press('Enter');
  await expect.poll(async () => (await heard(page)).bytes, { timeout: 60_000 }).toBeGreaterThan(100_000);
  apart.wire.cut();
  await expect(bar(page)).toContainText('Reconnecting…', { timeout: 60_000 });
  const { snapshots } = await heard(page);
  await apart.leave('stop');
  await expect.poll(() => apart.finds('all-said'), { timeout: 120_000 }).toBe(true);
  apart.wire.mend();
  await sayOnline(page);
  await connected(page);
  await expect(screen(page)).toContainText('the-end-42', { timeout: 60_000 });
  // It did outgrow: what came between is in no stream.
  expect((await heard(page)).snapshots).toBeGreaterThan(snapshots);
  const last = (await scrollback(page)).filter((line) => /^\d+$/.test(line)).map(Number);
  expect(last.at(-1)).toBe(400_000);
  expect(last.length).toBeGreaterThan(1_000);
  last.forEach((number, at) => expect(number).toBe(400_000 - last.length + 1 + at));
  expect(apart.wire.count('open')).toBe(1);
});

test('an hour passes under a running stream: the keys are new and nobody noticed', async ({ page, apart }) => {
  await startCounting(page);
  await age(page, 59 * MINUTE);
  await type(page, 'an-hour-');
  await expect.poll(() => apart.wire.count('renewed')).toBe(1);
  await age(page, 59 * MINUTE);
  await type(page, 'and-another');
  await expect.poll(() => apart.wire.count('renewed')).toBe(2);
  await expectWhole(page, 'an-hour-and-another');
  expect(apart.wire.count('open')).toBe(1);
  const { states } = await heard(page);
  expect(states.slice(states.indexOf('ready'))).toEqual(['ready']);
});

for (const hours of [2, -2]) {
  test(`a clock set by ${hours} hours changes nothing`, async ({ page, apart }) => {
    await startCounting(page);
    await setClock(page, hours * 60 * MINUTE);
    await type(page, 'still-');
    apart.wire.cut();
    await expect(bar(page)).toContainText('Reconnecting…');
    await expect(bar(page)).not.toContainText(/next try in \d{2,} s/);
    apart.wire.mend();
    await connected(page);
    await type(page, 'here');
    await expectWhole(page, 'still-here');
    expect(apart.wire.count('open')).toBe(1);
  });
}
