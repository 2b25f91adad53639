import { resolve } from 'node:path';
import { setUpAdmin } from './people';
import { register, test } from './registering';
import { expect, prompt, run, screen, shot } from './rig';

/** The same binary as everybody's here: on the machine of the Worker. */
const leapmux = resolve(process.env['LEAPMUX_BIN'] ?? '../target/debug/leapmux');

test('a program in a tab opens another by its delegation, which its person sees and revokes', async ({ page, hub, machines }) => {
  await setUpAdmin(page, hub);
  const dialog = await register(page, machines, 'lab-3');
  await dialog.getByRole('button', { name: 'Open terminal' }).click();
  await prompt(page);
  await run(page, `${leapmux} remote terminal open --title made-by-it -- sleep 1000; echo opened-$((40+2))`);
  await expect(screen(page)).toContainText('opened-42');
  await expect(page.getByRole('navigation').getByText('made-by-it')).toBeVisible();
  await run(page, `clear; ${leapmux} remote terminal list`);
  await expect(screen(page)).toContainText(/running +80x24 +0 +made-by-it/);
  await shot(page, 'delegation-in-a-tab');
  await page.getByRole('button', { name: 'Settings, keys and devices' }).click();
  await page.getByRole('button', { name: 'API tokens' }).click();
  const part = page.getByRole('region', { name: 'Delegations' });
  await expect(part.getByRole('listitem')).toHaveCount(1);
  await expect(part).toContainText('lab-3');
  await shot(page, 'delegations');
  await part.getByRole('button', { name: /^Revoke/ }).click();
  await expect(part.getByRole('listitem')).toHaveCount(0);
});
