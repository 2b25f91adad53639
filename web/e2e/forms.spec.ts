// How forms and dialogs behave under the hands of a person, without a Hub.
import { readFile } from 'node:fs/promises';
import { FakePage } from './fake';
import { axeInBothThemes, expect, test } from './rig';

let fake: FakePage;

test.beforeAll(async () => {
  fake = await FakePage.start();
});
test.afterAll(() => fake.stop());

test('a lock-out counts down, sends nothing meanwhile, and takes another try afterwards', async ({ page }) => {
  await page.clock.install();
  await fake.open(page, 'locked');
  await page.getByLabel('User name').fill('ada');
  await page.getByLabel('Password', { exact: true }).fill('wrong');
  await page.keyboard.press('Enter');
  const button = page.locator('button[type=submit]');
  await expect(button).toHaveText('Try again in 1 min 35 s');
  await expect(page.getByLabel('Password', { exact: true })).toBeFocused();
  await page.clock.runFor(60_000);
  await expect(button).toHaveText('Try again in 35 s');
  await page.keyboard.press('Enter');
  await expect(button).toHaveText('Try again in 35 s');
  await page.clock.runFor(36_000);
  await expect(button).toHaveText('Sign in');
  await page.keyboard.press('Enter');
  await expect(button).toHaveText('Try again in 1 min 35 s');
});

test('a password is shown on request, counted while it is made, and refused before the Hub is asked', async ({ page }) => {
  await fake.open(page, 'outside', '/sign-up');
  const field = page.getByLabel('Password', { exact: true });
  await expect(field).toHaveAttribute('type', 'password');
  await expect(field).toHaveAttribute('autocomplete', 'new-password');
  await page.getByRole('button', { name: 'Show password' }).click();
  await expect(field).toHaveAttribute('type', 'text');
  await field.fill('12345');
  await expect(field).toHaveAccessibleDescription('3 more to go.');
  await page.getByLabel('User name').fill('Ada!');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText('only a–z, 0–9 and hyphens');
  await expect(page.getByLabel('User name')).toBeFocused();
});

test('what came behind # leaves the address and survives a reload', async ({ page }) => {
  await fake.open(page, 'closed', '/join#secret-of-a-link');
  await expect(page.getByText('You were invited')).toBeVisible();
  expect(page.url()).not.toContain('secret-of-a-link');
  await fake.open(page, 'closed', '/join');
  await expect(page.getByText('You were invited')).toBeVisible();
});

test('a menu and a dialog are worked by keyboard alone, and the focus comes back', async ({ page }) => {
  await fake.open(page, 'hub', '/admin');
  const more = page.getByRole('button', { name: 'What to do with linus' });
  await more.focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('menuitem', { name: 'Set a new password…' })).toBeFocused();
  await page.keyboard.press('ArrowUp');
  await expect(page.getByRole('menuitem', { name: 'Delete…' })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(more).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('menuitem', { name: 'Set a new password…' })).toBeFocused();
  await page.keyboard.press('End');
  await expect(page.getByRole('menuitem', { name: 'Delete…' })).toBeFocused();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('alertdialog', { name: 'Delete linus?' });
  await expect(dialog.getByLabel('Type linus to confirm')).toBeFocused();
  await page.keyboard.type('linux');
  await page.keyboard.press('Enter');
  await expect(dialog.getByRole('alert')).toContainText('Type linus to go on.');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('linus');
  await page.keyboard.press('Enter');
  await expect(dialog).toBeHidden();
  await expect(page.getByText('linus is deleted.')).toBeVisible();
});

test('tokens stay on the screen until they are taken along', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await fake.open(page, 'hub', '/settings/tokens');
  await page.getByRole('button', { name: 'New token…' }).click();
  await page.getByLabel('Name').fill('nightly build');
  await page.getByLabel('Your password', { exact: true }).fill('a bridge of paper');
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Copy the token now' });
  await expect(dialog).toBeVisible();
  for (let at = 0; at < 3; at++) await page.keyboard.press('Escape');
  await page.mouse.click(5, 5);
  await expect(dialog).toBeVisible();
  await dialog.getByRole('button', { name: 'Copy Refresh token' }).click();
  await expect(dialog.getByRole('button', { name: 'Copied Refresh token' })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(/^lmr_/);
  await dialog.getByRole('button', { name: 'I have copied them' }).click();
  await expect(dialog).toBeHidden();
});

test('the audit log is narrowed by a click and taken along as a file', async ({ page }) => {
  await fake.open(page, 'hub', '/admin/audit');
  const rows = page.getByRole('group', { name: 'Audit log' }).getByRole('row');
  await expect(rows).toHaveCount(10);
  await page.getByRole('button', { name: 'login.failed' }).first().click();
  await expect(rows).toHaveCount(3);
  await expect(page.getByLabel('Action begins with')).toHaveValue('login.failed');
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export as JSON' }).click()]);
  expect(file.suggestedFilename()).toMatch(/^leapmux-audit-\d{4}-\d\d-\d\d\.json$/);
  const entries = JSON.parse(await readFile(await file.path(), 'utf8')) as { action: string }[];
  expect(entries.map((one) => one.action)).toEqual(['login.failed', 'login.failed']);
  await page.getByRole('button', { name: 'Show everything' }).click();
  await expect(rows).toHaveCount(10);
});

test('whoever asks from elsewhere is not answered, and a denial goes back to this machine', async ({ page }) => {
  const asking = (redirect: string) => `/authorise#client=cli&challenge=${'c'.repeat(43)}&redirect_uri=${encodeURIComponent(redirect)}&state=s`;
  await fake.open(page, 'hub', asking('http://example.org/callback'));
  await expect(page.getByText('somebody may want to trick you')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Allow' })).toHaveCount(0);
  await page.route('http://127.0.0.1:41327/**', (route) => route.fulfill({ body: 'heard' }));
  await fake.open(page, 'hub', asking('http://127.0.0.1:41327/callback'));
  await page.getByRole('button', { name: 'Deny' }).click();
  await expect(page.getByText('heard')).toBeVisible();
  expect(page.url()).toBe('http://127.0.0.1:41327/callback?error=access_denied&state=s');
});

test('over plain http the sign-in page says what is at risk, and on loopback it does not', async ({ page }) => {
  await fake.open(page, 'outside');
  await expect(page.getByText('plain http')).toHaveCount(0);
  await fake.appearAt(page, 'http://hub.example/');
  await fake.open(page, 'outside', '/', 'http://hub.example/');
  await expect(page.getByText('This page came over plain http.')).toBeVisible();
  await axeInBothThemes(page, 'plain-http');
});
