import { expect, listen, openShell, prompt, run, screen, test } from './rig';

test('a split in one browser is seen in the other, and no terminal is drawn anew', async ({ browser, page, solo, complaints }) => {
  await openShell(page, solo);
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  await listen(context, complaints);
  const second = await context.newPage();
  await second.goto(solo.url);
  const banner = page.getByRole('alertdialog', { name: 'A new device wants to connect' });
  await banner.getByRole('button', { name: 'Approve' }).click({ timeout: 30_000 });
  await expect(screen(second)).toContainText('$', { timeout: 45_000 });
  await expect(second.getByRole('tab')).toHaveCount(1);
  for (const each of [page, second]) await each.locator('.panel .xterm').first().evaluate((node) => node.setAttribute('data-kept', 'yes'));

  await page.locator('.terminal-host').first().click();
  await page.keyboard.press('Control+Shift+E');
  await expect(page.locator('.tile')).toHaveCount(2);
  await expect(second.locator('.tile')).toHaveCount(2);
  await expect(second.locator('.panel:not([hidden])')).toHaveCount(2);
  await expect(second.locator('[data-kept]')).toHaveCount(1);

  await second.locator('[data-kept]').click();
  await run(second, 'echo kept-$((6*7))');
  await expect(page.locator('[data-kept]')).toContainText('kept-42');

  const divider = (of: typeof page) => of.getByRole('separator', { name: 'Width of the tiles' });
  await divider(second).focus();
  await second.keyboard.press('Home');
  await expect(divider(page)).toHaveAttribute('aria-valuenow', '10');

  // Both at once: what each of them did is there for both.
  await page.locator('[data-kept]').click();
  await Promise.all([page.keyboard.press('Control+Shift+Enter'), (async () => {
    await second.locator('.panel:not([data-x]) .terminal-host').last().click();
    await second.keyboard.press('Control+Shift+O');
  })()]);
  for (const each of [page, second]) {
    await expect(each.getByRole('tab')).toHaveCount(4, { timeout: 20_000 });
    await expect(each.locator('.tile')).toHaveCount(3);
    await expect(each.locator('[data-kept]')).toHaveCount(1);
  }

  await page.reload();
  await expect(page.locator('.tile')).toHaveCount(3);
  await context.close();
});

test('a terminal of another workspace stands under its name and is shown there', async ({ page, solo }) => {
  await openShell(page, solo);
  await run(page, 'echo main-$((1+1))');
  await expect(screen(page)).toContainText('main-2');
  const first = page.getByRole('button', { name: 'Workspace: Workspace' });
  await first.click();
  await page.getByRole('button', { name: 'New workspace…' }).click();
  const dialog = page.getByRole('dialog', { name: 'New workspace' });
  await dialog.getByLabel('Title').fill('Second');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await expect(page.getByRole('button', { name: 'Workspace: Second' })).toBeVisible();
  await expect(page.getByRole('tab')).toHaveCount(0);
  await page.keyboard.press('Control+Shift+Enter');
  await expect(page.getByRole('tab')).toHaveCount(1);
  await prompt(page);
  await run(page, 'echo second-$((2+2))');
  await expect(screen(page)).toContainText('second-4');

  const rail = page.getByRole('navigation', { name: 'Workers' });
  await expect(rail.locator('.terminal-item:visible')).toHaveCount(1);
  await rail.locator('summary', { hasText: 'Workspace' }).click();
  await rail.locator('.elsewhere .terminal-item').click();
  await expect(first).toBeVisible();
  await expect(screen(page)).toContainText('main-2');
  await expect(rail.locator('summary', { hasText: 'Second' })).toBeVisible();
  await expect(page.getByRole('tab')).toHaveCount(1);
});
