import { expect, openShell, prompt, run, screen, shot, Solo, test } from './rig';
import { Wire } from './wire';

test('a Hub that goes away leaves the screen as it was under a thin bar, and comes back', async ({ page, solo }) => {
  await openShell(page, solo);
  await run(page, 'echo before-$((6*7))');
  await expect(screen(page)).toContainText('before-42');
  await solo.stop('SIGKILL');
  const bar = page.locator('[data-bar="connection"]');
  await expect(bar).toContainText('Reconnecting…', { timeout: 30_000 });
  await expect(screen(page)).toContainText('before-42');
  await shot(page, 'reconnecting');

  await solo.run([]);
  await expect(page.locator('.status-line')).toContainText('Connected', { timeout: 60_000 });
  await expect(bar).toHaveCount(0);
  // The Worker died with the Hub in solo mode, too soon to keep the screen or not: it stays here.
  const over = page.locator('[data-bar="lost"], [data-bar="gone"]');
  await expect(over).toContainText('This is its last screen.');
  await expect(screen(page)).toContainText('before-42');
  await shot(page, 'lost');
  await over.getByRole('button', { name: 'New terminal' }).click();
  await prompt(page);
  await run(page, 'echo after-$((6*8))');
  await expect(screen(page)).toContainText('after-48');
});

test('a cut wire: the program goes on, what it printed meanwhile is there, typed text arrives once', async ({ page }) => {
  const wire = await Wire.open();
  const solo = await Solo.start(wire.url);
  wire.to(solo.url);
  try {
    await page.goto(wire.url);
    await prompt(page);
    await run(page, 'for i in 1 2 3 4 5 6; do echo tick-$i; sleep 1; done; read x; echo got=$x=');
    await expect(screen(page)).toContainText('tick-1');
    wire.cut();
    await expect(page.locator('[data-bar="connection"]')).toContainText('Reconnecting…');
    await expect(screen(page)).toContainText('tick-1');
    await page.keyboard.type('kept');
    await page.keyboard.press('Enter');
    await shot(page, 'cut');
    await new Promise((done) => setTimeout(done, 3_000));
    wire.mend();
    await expect(page.locator('.status-line')).toContainText('Connected', { timeout: 60_000 });
    await expect(page.locator('[data-bar]')).toHaveCount(0);
    await expect(screen(page)).toContainText('got=kept=');
    const lines = (await screen(page).locator('> div').allTextContents()).map((line) => line.trim());
    for (const tick of [1, 2, 3, 4, 5, 6]) {
      expect(lines.filter((line) => line === `tick-${tick}`)).toHaveLength(1);
    }
  } finally {
    await wire.close();
    await solo.remove();
  }
});
