import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Daemon } from './daemon';
import { ADMIN, inside, setUpAdmin, typeNameAndPassword } from './people';
import { expect, Solo, test } from './rig';

/** Runs `leapmux admin …` to its end. */
async function admin(hub: Solo, ...args: string[]): Promise<string> {
  const daemon = Daemon.launch(['admin', '--data-dir', hub.dataDir, ...args], { HOME: hub.dataDir });
  const { code, said } = await daemon.ended();
  expect(code, said).toBe(0);
  return said;
}

test('what was lost comes back from a backup: the account lets in again, and what came later is gone', async ({ page }) => {
  const hub = await Solo.startHub();
  const backup = `${hub.dataDir}-backup.tar`;
  try {
    await setUpAdmin(page, hub);
    await admin(hub, 'db', 'backup', '--to', backup);
    await page.goto(new URL('organisations', hub.url).href);
    await page.getByRole('button', { name: /New organisation/ }).first().click();
    await page.getByLabel('Name', { exact: true }).fill('Too late');
    await page.getByRole('button', { name: 'Create' }).click();
    await expect(page.getByText('Too late').first()).toBeVisible();

    await hub.stop();
    await rm(join(hub.dataDir, 'hub.db'));
    await rm(join(hub.dataDir, 'encryption.key'));
    await admin(hub, 'db', 'restore', '--from', backup, '--force');
    await hub.run([]);

    // A restored Hub has ended every login.
    await page.goto(hub.url);
    await typeNameAndPassword(page, ADMIN.username, ADMIN.password);
    await inside(page);
    await page.goto(new URL('organisations', hub.url).href);
    await expect(page.getByRole('heading', { name: 'Organisations' }).first()).toBeVisible();
    await expect(page.getByText('Too late')).toHaveCount(0);
    expect(await admin(hub, 'audit', 'verify')).toContain('whole');
  } finally {
    await hub.remove();
    await rm(backup, { force: true });
  }
});
