import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { axeInBothThemes, expect, listen, openShell, run, screen, shot, test, type Solo } from './rig';
import type { Page } from '@playwright/test';

const OPENS = 'leapmux_hub_channel_opens_total';

async function swapWorkerKey(solo: Solo): Promise<void> {
  await solo.stop();
  await rm(join(solo.dataDir, 'worker', 'identity.key'));
  await solo.run([]);
}

function dialogOf(page: Page) {
  return page.getByRole('alertdialog', { name: 'Worker public key changed' });
}

test('a swapped key stops everything: Escape rejects and nothing is sent; Accept goes on', async ({ page, solo }) => {
  await openShell(page, solo);
  await swapWorkerKey(solo);
  const dialog = dialogOf(page);
  await expect(dialog).toBeVisible({ timeout: 45_000 });
  await expect(dialog).toContainText('has changed since the last connection. This could indicate a legitimate key rotation or a potential security issue.');
  await expect(dialog).toContainText('Expected:');
  await expect(dialog).toContainText('Actual:');
  await expect(dialog).toContainText('If you did not expect this change, reject the connection and verify the worker’s identity before accepting.');
  await expect(dialog.getByRole('button', { name: 'Reject' })).toBeFocused();
  await expect(dialog.locator('mark').first()).toBeVisible();
  await axeInBothThemes(page, 'key-changed');

  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await expect(page.getByText('Blocked: key changed').first()).toBeVisible();
  await axeInBothThemes(page, 'blocked');
  expect(await solo.metric(OPENS)).toBe(0);

  await page.getByRole('navigation', { name: 'Workers' }).getByRole('button', { name: 'Review' }).click();
  await expect(dialog).toBeVisible();
  await dialog.getByRole('checkbox').check();
  await dialog.getByRole('button', { name: 'Accept' }).click();
  await expect(dialog).toBeHidden();
  await expect(page.locator('.status-line')).toContainText('Connected');
  expect(await solo.metric(OPENS)).toBe(1);
});

test('a Worker that falls back to the classic mode is asked about as well', async ({ page, solo }) => {
  await openShell(page, solo);
  await solo.stop();
  await solo.run(['--encryption-mode', 'classic']);
  const dialog = page.getByRole('alertdialog', { name: 'Worker encryption mode changed' });
  await expect(dialog).toBeVisible({ timeout: 45_000 });
  await expect(dialog).toContainText('classic instead of post-quantum. Its public key is the same.');
  await expect(dialog).not.toContainText('has changed since the last connection');
  await expect(dialog).toContainText('Mode: post-quantum');
  await expect(dialog).toContainText('Mode: classic');
  await axeInBothThemes(page, 'mode-weaker');
  await page.keyboard.press('Enter');
  await expect(dialog).toBeHidden();
  await expect(page.getByText('Blocked: weaker mode').first()).toBeVisible();
  expect(await solo.metric(OPENS)).toBe(0);
});

/** When the banner's Approve was there, and whether it could be pressed; before the page is opened. */
async function watchApprove(page: Page): Promise<() => Promise<{ at: number; disabled: boolean }[]>> {
  await page.addInitScript(() => {
    const seen: { at: number; disabled: boolean }[] = [];
    new MutationObserver(() => {
      const button = document.querySelector<HTMLButtonElement>('[data-region="banner"] button.primary');
      if (button && seen.at(-1)?.disabled !== button.disabled) seen.push({ at: performance.now(), disabled: button.disabled });
    }).observe(document, { subtree: true, childList: true, attributes: true });
    Object.assign(globalThis, { approveSeen: seen });
  });
  return () => page.evaluate(() => (globalThis as unknown as { approveSeen: { at: number; disabled: boolean }[] }).approveSeen);
}

test('a second browser waits for approval, then both work in one terminal', async ({ browser, page, solo, complaints }) => {
  const approveSeen = await watchApprove(page);
  await openShell(page, solo);
  const context = await browser.newContext({ viewport: { width: 1100, height: 700 } });
  await listen(context, complaints);
  const second = await context.newPage();
  await second.goto(solo.url);
  await expect(second.getByRole('heading', { name: 'Approve this device' })).toBeVisible({ timeout: 30_000 });
  const shownWords = second.locator('.notice-block .large-words');
  await expect(shownWords).toHaveText(/^[a-z]+(-[a-z]+){3}$/);
  const words = await shownWords.textContent();
  await axeInBothThemes(second, 'approve-this-device');

  const banner = page.getByRole('alertdialog', { name: 'A new device wants to connect' });
  await expect(banner).toContainText(words ?? 'no words');
  await axeInBothThemes(page, 'new-device');
  await banner.getByRole('button', { name: 'Approve' }).click();
  // A click that was on its way to something else finds it disabled for a second.
  const [shown, usable] = await approveSeen();
  expect([shown?.disabled, usable?.disabled]).toEqual([true, false]);
  expect(usable!.at - shown!.at).toBeGreaterThan(900);

  await expect(screen(second)).toContainText('$', { timeout: 45_000 });
  await expect(second.getByRole('tab')).toHaveCount(1);
  await run(second, 'echo from-second-$((3*3))');
  await expect(screen(page)).toContainText('from-second-9');
  await page.locator('.terminal-host').click();
  await run(page, 'echo from-first-$((4*4))');
  await expect(screen(second)).toContainText('from-first-16');
  await context.close();
});

test('the words and the mode are one click away, and the key can be marked verified', async ({ page, solo }) => {
  await openShell(page, solo);
  await page.locator('.status-line').getByRole('button', { name: /Connected/ }).click();
  const card = page.getByRole('dialog', { name: /^Connection to/ });
  await expect(card).toContainText('Post-quantum hybrid');
  await expect(card.locator('.words').first()).toHaveText(/^[a-z]+(-[a-z]+){3}$/);
  await shot(page, 'channel-card');
  await card.getByRole('button', { name: 'I compared the words' }).click();
  await expect(card).toContainText('Verified');
});
