import { accessToken, ADMIN, inside, settings, typeNameAndPassword } from './people';
import { axe, axeInBothThemes, expect, shot, Solo, test } from './rig';

test('a new Hub wants its access token and makes its first admin, who signs out and in again', async ({ page }) => {
  const hub = await Solo.startHub();
  try {
    await page.goto(new URL('setup', hub.url).href);
    const token = page.getByLabel('Access token', { exact: true });
    await expect(token).toBeFocused();
    await axeInBothThemes(page, 'first-start');
    await token.fill('not-the-token');
    await page.getByLabel('User name').fill(ADMIN.username);
    await page.getByLabel('Password', { exact: true }).fill('short');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('alert')).toContainText('The password needs 8 characters; this one has 5.');
    await page.getByLabel('Password', { exact: true }).fill(ADMIN.password);
    await page.keyboard.press('Enter');
    await expect(page.getByRole('alert')).toContainText('does not accept this token');
    await expect(token).toBeFocused();

    await token.fill(await accessToken(hub));
    await page.keyboard.press('Enter');
    await inside(page);
    expect(new URL(page.url()).pathname).toBe('/');
    await shot(page, 'no-worker');
    expect(await axe(page)).toEqual([]);

    await settings(page, 'Account');
    await expect(page.getByRole('heading', { name: `Signed in as ${ADMIN.username}` })).toBeVisible();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await typeNameAndPassword(page, ADMIN.username, ADMIN.password);
    await inside(page);
  } finally {
    await hub.remove();
  }
});

test('wrong passwords are told, then locked out with the time that is left, then the right one lets in', async ({ page, browser }) => {
  const hub = await Solo.startHub();
  try {
    await page.goto(hub.url);
    await page.getByLabel('Access token', { exact: true }).fill(await accessToken(hub));
    await page.getByLabel('User name').fill(ADMIN.username);
    await page.getByLabel('Password', { exact: true }).fill(ADMIN.password);
    await page.keyboard.press('Enter');
    await inside(page);

    const other = await (await browser.newContext()).newPage();
    await other.goto(hub.url);
    const alert = other.getByRole('alert');
    for (let attempt = 1; attempt <= 5; attempt++) {
      await typeNameAndPassword(other, ADMIN.username, `wrong ${attempt}`);
      await expect(alert).toContainText('The user name or the password is wrong.');
      await expect(other.getByRole('button', { name: 'Sign in' })).toBeEnabled();
    }
    await typeNameAndPassword(other, ADMIN.username, ADMIN.password);
    await expect(alert).toContainText(/^Too many attempts\. Try again in \d+ s\.$/);
    const waiting = other.getByRole('button', { name: /^Try again in \d+ s$/ });
    await expect(waiting).toBeVisible();
    await axeInBothThemes(other, 'locked-out');
    await expect(other.getByRole('button', { name: 'Sign in' })).toBeVisible({ timeout: 40_000 });
    await typeNameAndPassword(other, ADMIN.username, ADMIN.password);
    await inside(other);
    await other.context().close();
  } finally {
    await hub.remove();
  }
});
