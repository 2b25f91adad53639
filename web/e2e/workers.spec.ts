import { setUpAdmin } from './people';
import { makeCommand, register, test } from './registering';
import { axeInBothThemes, expect, prompt, run, screen } from './rig';

test('a Worker that runs the copied command turns up verified, without a reload and without a comparison', async ({ page, hub, machines }) => {
  await setUpAdmin(page, hub);
  const dialog = await register(page, machines, 'lab-3');
  await expect(dialog).toContainText('Worker connected: lab-3');
  await expect(dialog).toContainText('There is nothing to compare.');
  await axeInBothThemes(page, 'registered');
  await dialog.getByRole('button', { name: 'Open terminal' }).click();
  await prompt(page);
  await run(page, 'echo on-lab-$((2+1))');
  await expect(screen(page)).toContainText('on-lab-3');

  await page.getByRole('button', { name: 'Workers', exact: true }).click();
  const card = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: 'lab-3' }) });
  await expect(card).toContainText('Verified');
  await expect(card).toContainText('online');
  await axeInBothThemes(page, 'workers');

  await card.getByRole('button', { name: /^Rename/ }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('lab-4');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('main').getByRole('heading', { name: 'lab-4' })).toBeVisible();
  await page.getByRole('button', { name: /^Deregister/ }).click();
  const sure = page.getByRole('alertdialog');
  await sure.getByLabel('Type lab-4 to confirm').fill('lab-4');
  await sure.getByRole('button', { name: 'Deregister' }).click();
  await expect(page.getByRole('heading', { name: 'No Worker yet' })).toBeVisible();
});

test('closing the dialog kills the key, and says so first', async ({ page, hub, machines }) => {
  await setUpAdmin(page, hub);
  const { dialog, command } = await makeCommand(page, 'never');
  await page.keyboard.press('Escape');
  await expect(dialog).toContainText('Closing destroys the key');
  await axeInBothThemes(page, 'closing-destroys');
  await dialog.getByRole('button', { name: 'Keep it open' }).click();
  await expect(dialog).toContainText('Good for');
  await page.keyboard.press('Escape');
  await dialog.getByRole('button', { name: 'Close and destroy the key' }).click();
  await expect(dialog).toBeHidden();
  const { code, said } = await (await machines.run(command)).ended();
  expect(code).not.toBe(0);
  expect(said).not.toContain('panicked');
  await expect(page.getByRole('heading', { name: 'No Worker yet' })).toBeVisible();
});
