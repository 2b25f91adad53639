import { expect, openShell, prompt, run, screen, shot, test } from './rig';

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
