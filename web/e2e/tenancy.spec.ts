// Every screen of Workers, organisations, workspaces and sharing, without a Hub: in both themes and at two
// widths axe finds nothing, and nothing is wider than the window.
import { FakePage } from './fake';
import { axe, expect, shot, test } from './rig';
import type { Page } from '@playwright/test';

let fake: FakePage;

test.beforeAll(async () => {
  fake = await FakePage.start();
});
test.afterAll(() => fake.stop());

const press = (...names: (string | RegExp)[]) => async (page: Page) => {
  for (const name of names) await page.getByRole('button', { name }).first().click();
};
/** The rail is behind a button on a phone. */
const inRail = (...names: (string | RegExp)[]) => async (page: Page) => {
  const menu = page.getByRole('button', { name: 'Workers and terminals' });
  if (!(await page.getByRole('button', { name: /^Workspace:/ }).isVisible())) await menu.click();
  await press(...names)(page);
};

const SCREENS: [name: string, at: string, act?: (page: Page) => Promise<void>][] = [
  ['workers', '/workers'],
  ['worker-key', '/workers', press(/^Fingerprint/)],
  ['worker-transfer', '/workers', press(/^Transfer/)],
  ['worker-deregister', '/workers', press(/^Deregister/)],
  ['register', '/workers/register'],
  ['register-command', '/workers/register', press('Make the command')],
  ['register-leaving', '/workers/register', async (page) => {
    await press('Make the command')(page);
    await expect(page.getByText('Good for')).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(page.getByText('Closing destroys the key')).toBeVisible();
  }],
  ['organisations', '/organisations'],
  ['organisation-new', '/organisations', press('New organisation')],
  ['organisation', '/organisations/engine-works'],
  ['organisation-invite', '/organisations/engine-works', press('Invite by name…')],
  ['organisation-link', '/organisations/engine-works', press('Make a link…', 'Make the link')],
  ['organisation-workspace', '/organisations/engine-works', press('What to do with Difference engine')],
  ['organisation-delete', '/organisations/engine-works', press('Delete…')],
  ['workspaces', '/organisations', inRail(/^Workspace:/)],
  ['terminals-elsewhere', '/organisations', async (page) => {
    const other = page.getByText('Difference engine', { exact: true }).first();
    if (!(await other.isVisible())) await page.getByRole('button', { name: 'Workers and terminals' }).click();
    await other.click();
    await expect(page.getByRole('button', { name: 'calculating' })).toBeVisible();
  }],
  ['workspace-new', '/organisations', inRail(/^Workspace:/, 'New workspace…')],
  ['sharing', '/organisations'],
];

for (const [name, at, act] of SCREENS) {
  for (const [size, width] of [['wide', 1280], ['phone', 390]] as const) {
    test(`${name}, ${size}: axe finds nothing in either theme and nothing scrolls sideways`, async ({ page }) => {
      await page.setViewportSize({ width, height: 800 });
      await fake.open(page, 'tenants', at);
      if (name === 'sharing') {
        await inRail(/^Workspace:/, 'Difference engine')(page);
        await inRail(/^Sharing/)(page);
        await expect(page.getByText('Waiting for their first device')).toBeVisible();
      } else await act?.(page);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        await shot(page, `screens/${name}-${size}-${colorScheme}`);
        // What programs print is theirs; the key bar's names are looked at elsewhere.
        expect((await axe(page)).filter((line) => !/xterm|color-contrast: <span style|<button aria-label="Escape"/.test(line))).toEqual([]);
      }
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    });
  }
}
