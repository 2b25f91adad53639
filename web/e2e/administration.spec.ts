import { readFile } from 'node:fs/promises';
import { inside, setUpAdmin, signIn, typeNameAndPassword } from './people';
import { axeInBothThemes, expect, listen, Solo, test as base } from './rig';
import type { Page } from '@playwright/test';

const test = base.extend<{ hub: Solo }>({
  hub: async ({}, use) => {
    const hub = await Solo.startHub();
    await use(hub);
    await hub.remove();
  },
});

const GRACE = { username: 'grace', password: 'compilers all the way' };

async function admin(page: Page, part: string): Promise<void> {
  if (!(await page.getByRole('heading', { name: 'Administration', level: 1 }).isVisible())) {
    await page.getByRole('button', { name: 'Administration of this Hub' }).click();
  }
  await page.getByRole('navigation', { name: 'Parts of Administration' }).getByRole('button', { name: part, exact: true }).click();
}

async function order(page: Page, item: string): Promise<void> {
  await page.getByRole('button', { name: `What to do with ${GRACE.username}` }).click();
  await page.getByRole('menuitem', { name: item }).click();
}

test('an admin makes a user, logs them out, disables them and deletes them; the log tells it and is whole', async ({ page, browser, hub, complaints }) => {
  await setUpAdmin(page, hub);
  await admin(page, 'Users');
  await page.getByRole('button', { name: 'New user…' }).click();
  const dialog = page.getByRole('dialog', { name: 'New user' });
  await dialog.getByLabel('User name').fill(GRACE.username);
  await dialog.getByLabel('Password', { exact: true }).fill(GRACE.password);
  await page.keyboard.press('Enter');
  await expect(dialog).toBeHidden();
  const users = page.getByRole('list', { name: 'Users' });
  await expect(users).toContainText(GRACE.username);
  await axeInBothThemes(page, 'admin-users');

  const context = await browser.newContext();
  await listen(context, complaints);
  const grace = await context.newPage();
  await signIn(grace, hub, GRACE);
  await expect(grace.getByRole('button', { name: 'Administration of this Hub' })).toHaveCount(0);

  await order(page, 'Log out everywhere…');
  await page.getByRole('alertdialog').getByRole('button', { name: 'Log out' }).click();
  await expect(page.getByText('1 credential of grace ended.')).toBeVisible();
  await expect(grace.getByRole('alert')).toContainText('You were signed out');
  await typeNameAndPassword(grace, GRACE.username, GRACE.password);
  await inside(grace);

  await order(page, 'Disable…');
  await page.getByRole('alertdialog').getByRole('button', { name: 'Disable' }).click();
  await expect(users.getByText('disabled')).toBeVisible();
  await expect(grace.getByRole('alert')).toContainText('You were signed out');
  await typeNameAndPassword(grace, GRACE.username, GRACE.password);
  await expect(grace.getByRole('alert').filter({ hasText: 'The user name or the password is wrong.' })).toBeVisible();

  await page.getByLabel('Find users by name or address').fill('grac');
  await expect(users.getByRole('listitem')).toHaveCount(1);
  await order(page, 'Delete…');
  const question = page.getByRole('alertdialog', { name: 'Delete grace?' });
  await question.getByLabel('Type grace to confirm').fill('grace');
  await page.keyboard.press('Enter');
  await expect(page.getByText('Nobody is called “grac”.')).toBeVisible();

  await admin(page, 'Audit log');
  const log = page.getByRole('group', { name: 'Audit log' });
  await expect(log).toContainText('user.created');
  await page.getByRole('button', { name: 'Verify the chain' }).click();
  await expect(page.getByText('Whole.')).toBeVisible();
  expect(await page.getByLabel('Newest hash').inputValue()).toMatch(/^[0-9a-f]{64}$/);
  await axeInBothThemes(page, 'admin-audit');
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export as JSON' }).click()]);
  const entries = JSON.parse(await readFile(await file.path(), 'utf8')) as { seq: number; action: string }[];
  expect(entries.at(-1)?.seq).toBe(1);
  expect(entries.map((one) => one.action)).toContain('hub.set_up');
  await context.close();
});

test('the sign-up switch lets strangers make accounts, and shuts again', async ({ page, browser, hub, complaints }) => {
  await setUpAdmin(page, hub);
  const context = await browser.newContext();
  await listen(context, complaints);
  const stranger = await context.newPage();
  await stranger.goto(new URL('sign-up', hub.url).href);
  await expect(stranger.getByText('This Hub makes no accounts on its own.')).toBeVisible();

  await admin(page, 'Settings');
  const open = page.getByRole('switch', { name: 'Anybody may make an account' });
  await open.check();
  await expect(page.getByText('Anybody can make an account now.')).toBeVisible();
  await stranger.reload();
  await stranger.getByLabel('User name').fill(GRACE.username);
  await stranger.getByLabel('Password', { exact: true }).fill(GRACE.password);
  await stranger.getByRole('button', { name: 'Make the account' }).click();
  await inside(stranger);
  await open.uncheck();
  await expect(page.getByText('by admins and invitations only')).toBeVisible();
  await context.close();
});
