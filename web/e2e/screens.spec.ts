// Every screen of accounts and administration, without a Hub: in both themes and at two widths axe finds
// nothing, and nothing is wider than the window. The pictures are in test-results/screens.
import { FakePage } from './fake';
import { axe, expect, shot, test } from './rig';
import type { Page } from '@playwright/test';

let fake: FakePage;

test.beforeAll(async () => {
  fake = await FakePage.start();
});
test.afterAll(() => fake.stop());

interface Screen {
  name: string;
  scene: string;
  at?: string;
  /** What is done before the look. */
  act?: (page: Page) => Promise<void>;
}

const press = (name: string | RegExp, at = 0) => (page: Page) => page.getByRole('button', { name }).nth(at).click();
const choose = (user: string, item: RegExp) => async (page: Page) => {
  await page.getByRole('button', { name: `What to do with ${user}` }).click();
  await page.getByRole('menuitem', { name: item }).click();
};
const ASKING = `client=leapmux%20remote&challenge=${'c'.repeat(43)}&redirect_uri=${encodeURIComponent('http://127.0.0.1:41327/callback')}&state=s`;

const SCREENS: Screen[] = [
  { name: 'sign-in', scene: 'outside' },
  { name: 'sign-in-closed', scene: 'closed' },
  { name: 'sign-in-token', scene: 'closed', act: press('Use the access token') },
  { name: 'sign-in-wrong', scene: 'wrong', act: async (page) => {
    await page.getByLabel('User name').fill('ada');
    await page.getByLabel('Password', { exact: true }).fill('wrong');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('alert')).toContainText('wrong');
  } },
  { name: 'sign-in-locked', scene: 'locked', act: async (page) => {
    await page.getByLabel('User name').fill('ada');
    await page.getByLabel('Password', { exact: true }).fill('wrong');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('alert')).toContainText('Too many attempts. Try again in 1 min 35 s.');
  } },
  { name: 'set-up', scene: 'first-start', at: '/setup' },
  { name: 'sign-up', scene: 'outside', at: '/sign-up' },
  { name: 'sign-up-closed', scene: 'closed', at: '/sign-up' },
  { name: 'join', scene: 'closed', at: '/join#secret' },
  { name: 'join-accept', scene: 'hub', at: '/join#secret' },
  { name: 'reset-ask', scene: 'outside', at: '/reset' },
  { name: 'reset-choose', scene: 'outside', at: '/reset#code' },
  { name: 'confirm', scene: 'hub', at: '/confirm#code' },
  { name: 'sees', scene: 'outside', at: '/what-the-hub-sees' },
  { name: 'authorise', scene: 'hub', at: `/authorise#${ASKING}` },
  { name: 'authorise-foreign', scene: 'hub', at: `/authorise#${ASKING.replace('127.0.0.1', 'example.org')}` },
  { name: 'device', scene: 'hub', at: '/device' },
  { name: 'device-decide', scene: 'hub', at: '/device', act: async (page) => {
    await page.getByLabel('Code').fill('wdjb mjht');
    await page.getByRole('button', { name: 'Go on' }).click();
    await expect(page.getByText('build-server')).toBeVisible();
  } },
  { name: 'settings', scene: 'hub', at: '/settings' },
  { name: 'account', scene: 'hub', at: '/settings/account' },
  { name: 'account-password', scene: 'hub', at: '/settings/account', act: press('Change the password') },
  { name: 'account-delete', scene: 'hub', at: '/settings/account', act: press('Delete the account…') },
  { name: 'logins', scene: 'hub', at: '/settings/logins' },
  { name: 'logins-revoke', scene: 'hub', at: '/settings/logins', act: press('Revoke all others') },
  { name: 'tokens', scene: 'hub', at: '/settings/tokens' },
  { name: 'token-new', scene: 'hub', at: '/settings/tokens', act: press('New token…') },
  { name: 'token-shown', scene: 'hub', at: '/settings/tokens', act: async (page) => {
    await press('New token…')(page);
    await page.getByLabel('Name').fill('nightly build');
    await page.getByLabel('Your password', { exact: true }).fill('a long password');
    await press('Make the token')(page);
    await expect(page.getByRole('dialog', { name: 'Copy the token now' })).toBeVisible();
  } },
  { name: 'settings-sees', scene: 'hub', at: '/settings/what-the-hub-sees' },
  { name: 'admin-users', scene: 'hub', at: '/admin' },
  { name: 'admin-menu', scene: 'hub', at: '/admin', act: press('What to do with grace') },
  { name: 'admin-user-new', scene: 'hub', at: '/admin', act: press('New user…') },
  { name: 'admin-user-delete', scene: 'hub', at: '/admin', act: choose('linus', /Delete/) },
  { name: 'admin-user-password', scene: 'hub', at: '/admin', act: choose('linus', /password/) },
  { name: 'admin-organisations', scene: 'hub', at: '/admin/organisations' },
  { name: 'admin-quotas', scene: 'hub', at: '/admin/organisations', act: press('Quotas… of engines') },
  { name: 'admin-workers', scene: 'hub', at: '/admin/workers' },
  { name: 'admin-keys', scene: 'hub', at: '/admin/registration-keys' },
  { name: 'admin-channels', scene: 'hub', at: '/admin/channels' },
  { name: 'admin-audit', scene: 'hub', at: '/admin/audit', act: press('Verify the chain') },
  { name: 'admin-settings', scene: 'hub', at: '/admin/settings' },
  { name: 'empty-tokens', scene: 'hub-empty', at: '/settings/tokens' },
];

for (const { name, scene, at = '/', act } of SCREENS) {
  test(`${name} can be read by everybody`, async ({ page }) => {
    for (const [width, height, size] of [[1280, 800, 'wide'], [390, 844, 'phone']] as const) {
      await page.setViewportSize({ width, height });
      await fake.open(page, scene, at);
      await act?.(page);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await shot(page, `screens/${name}-${size}-${colorScheme}`);
        expect(await axe(page), `${name} ${size} ${colorScheme}`).toEqual([]);
      }
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    }
  });
}
