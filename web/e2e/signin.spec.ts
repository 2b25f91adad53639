import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { axe, expect, shot, Solo, test } from './rig';

test('a Hub asks for its token, says when it is wrong, and lets in with the right one', async ({ page }) => {
  const hub = await Solo.startHub();
  try {
    await page.goto(hub.url);
    const field = page.getByLabel('Access token');
    await expect(field).toBeFocused();
    for (const theme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: theme });
      await shot(page, `sign-in-${theme}`);
      expect(await axe(page)).toEqual([]);
    }
    await field.fill('not-the-token');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('alert')).toContainText(/token/);
    await field.fill((await readFile(join(hub.dataDir, 'access-token'), 'utf8')).trim());
    await page.keyboard.press('Enter');
    await expect(page.getByRole('heading', { name: 'No Worker yet' })).toBeVisible();
    await shot(page, 'no-worker');
    expect(await axe(page)).toEqual([]);

    await page.getByRole('button', { name: 'Settings, keys and devices' }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await expect(page.getByLabel('Access token')).toBeVisible();
  } finally {
    await hub.remove();
  }
});
