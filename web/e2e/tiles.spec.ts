import { expect, openShell, prompt, run, screen, shot, test } from './rig';

test('splitting, moving and resizing by keyboard alone never draws a terminal anew', async ({ page, solo }) => {
  await openShell(page, solo);
  await run(page, 'echo first-$((40+2))');
  await expect(screen(page)).toContainText('first-42');
  await page.locator('.panel .xterm').first().evaluate((node) => node.setAttribute('data-kept', 'yes'));

  await page.keyboard.press('Control+Shift+E');
  await expect(page.locator('.tile')).toHaveCount(2);
  await expect(page.locator('.panel:not([hidden])')).toHaveCount(2);
  await page.keyboard.press('Control+Shift+O');
  await expect(page.locator('.tile')).toHaveCount(3);
  await expect(page.locator('.panel:not([hidden])')).toHaveCount(3);
  await shot(page, 'three-tiles');

  await page.keyboard.press('Alt+Shift+ArrowLeft');
  await expect(page.locator('.tile.focused .tab')).toHaveCount(1);
  await expect(page.locator('[data-kept].focus')).toHaveCount(1);
  await run(page, 'echo left-$((1+1))');
  await expect(page.locator('[data-kept]')).toContainText('left-2');

  const divider = page.getByRole('separator', { name: 'Width of the tiles' });
  const before = await divider.getAttribute('aria-valuenow');
  await divider.focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await expect(divider).not.toHaveAttribute('aria-valuenow', before ?? '');

  await page.keyboard.press('Control+Alt+Shift+ArrowRight');
  await expect(page.locator('.tile')).toHaveCount(2);
  await expect(page.locator('[data-kept]')).toHaveCount(1);
  await expect(page.locator('[data-kept]')).toContainText('first-42');
});

test('a tab is dragged to the edge of a tile and makes a new one; the layout survives a reload', async ({ page, solo }) => {
  await openShell(page, solo);
  await page.keyboard.press('Control+Shift+Enter');
  await expect(page.getByRole('tab')).toHaveCount(2);
  const tab = await page.getByRole('tab').first().boundingBox();
  const tile = await page.locator('.tile').boundingBox();
  if (!tab || !tile) throw new Error('no boxes');
  await page.mouse.move(tab.x + 20, tab.y + 12);
  await page.mouse.down();
  await page.mouse.move(tile.x + tile.width / 2, tile.y + tile.height / 2, { steps: 5 });
  await page.mouse.move(tile.x + tile.width - 30, tile.y + tile.height / 2, { steps: 5 });
  await expect(page.locator('.drop-target')).toBeVisible();
  await shot(page, 'drag');
  await page.mouse.up();
  await expect(page.locator('.tile')).toHaveCount(2);
  await page.reload();
  await expect(page.locator('.tile')).toHaveCount(2);
  await expect(page.locator('.panel:not([hidden])')).toHaveCount(2);
});

test('every command is reached from the palette by keyboard alone', async ({ page, solo }) => {
  await openShell(page, solo);
  await page.keyboard.press('Control+Shift+K');
  await page.keyboard.type('split ri');
  await shot(page, 'palette');
  await page.keyboard.press('Enter');
  await expect(page.locator('.tile')).toHaveCount(2);
  await page.keyboard.press('Control+Shift+K');
  await page.keyboard.type('settings');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Settings' })).toBeVisible();
  await page.keyboard.press('Control+K');
  await page.keyboard.type('back to');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Settings' })).toBeHidden();
  await run(page, 'echo typed-$((2+3))');
  await expect(page.locator('.tile.focused')).toBeVisible();
  await expect(page.locator('.panel:not([hidden]) .xterm-rows', { hasText: 'typed-5' })).toHaveCount(1);
});

test('on a phone there is one tile, a key bar, and no sideways scroll', async ({ browser, solo }) => {
  const context = await browser.newContext({ viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true });
  const page = await context.newPage();
  await page.goto(solo.url);
  await expect(screen(page)).toContainText('$', { timeout: 30_000 });
  await page.locator('.terminal-host').tap();
  await page.keyboard.type('sleep 100');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Ctrl' }).tap();
  await page.keyboard.type('c');
  await expect(screen(page)).toContainText('^C');
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  await shot(page, 'phone');
  await context.close();
});

test('a tab floats as a window, is moved and sized by mouse and by command, and goes back; its terminal stays', async ({ page, solo }) => {
  await openShell(page, solo);
  await page.keyboard.press('Control+Shift+Enter');
  await expect(page.getByRole('tab')).toHaveCount(2);
  await prompt(page);
  await run(page, 'echo lifted-$((5+5))');
  await expect(screen(page)).toContainText('lifted-10');
  await page.locator('.panel:not([hidden]) .xterm').evaluate((node) => node.setAttribute('data-kept', 'yes'));
  const command = async (text: string) => {
    await page.keyboard.press('Control+Shift+K');
    await page.keyboard.type(text);
    await page.keyboard.press('Enter');
  };
  await command('float the tab');
  const window = page.locator('.tile.floating');
  await expect(window).toHaveCount(1);
  await expect(page.locator('.tile')).toHaveCount(2);
  await expect(page.locator('[data-kept]')).toContainText('lifted-10');
  const before = await window.boundingBox();
  if (!before) throw new Error('no window');
  await page.mouse.move(before.x + before.width / 2, before.y + 15);
  await page.mouse.down();
  await page.mouse.move(before.x + before.width / 2 - 80, before.y + 75, { steps: 4 });
  await page.mouse.up();
  // What is drawn follows what was done, a little later.
  await expect.poll(async () => Math.round(((await window.boundingBox())?.x ?? before.x) - before.x)).toBeLessThan(-60);
  await command('make the window wider');
  await expect.poll(async () => (await window.boundingBox())?.width ?? 0).toBeGreaterThan(before.width);
  await page.reload();
  await expect(window).toHaveCount(1);
  await expect(page.locator('.panel:not([hidden])')).toHaveCount(2);
  await window.getByRole('tab').click();
  await command('put the window back');
  await expect(window).toHaveCount(0);
  await expect(page.locator('.tile')).toHaveCount(2);
  await expect(page.locator('.xterm-rows', { hasText: 'lifted-10' })).toHaveCount(1);
});
