import { holdThread, typeAnyway } from './intruder';
import { inside, setUpAdmin, settings } from './people';
import { register, test } from './registering';
import { axeInBothThemes, expect, listen, prompt, run, screen } from './rig';
import type { Browser, Page } from '@playwright/test';

const PERMISSION_DENIED = 7;

async function makeOrganisation(page: Page): Promise<string> {
  await page.getByRole('button', { name: 'Organisations and members' }).click();
  await page.getByRole('button', { name: 'New organisation' }).click();
  await page.getByRole('dialog').getByLabel('Name', { exact: true }).fill('Engine Works');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Make a link…' }).click();
  await page.getByRole('button', { name: 'Make the link' }).click();
  const link = await page.getByLabel('Link', { exact: true }).inputValue();
  await page.getByRole('button', { name: 'Done' }).click();
  return link;
}

async function makeWorkspace(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^Workspace:/ }).click();
  await page.getByRole('button', { name: 'New workspace…' }).click();
  const dialog = page.getByRole('dialog', { name: 'New workspace' });
  await dialog.getByLabel('Title').fill('Difference engine');
  await dialog.getByLabel('Organisation').selectOption({ label: 'Engine Works' });
  await dialog.getByRole('button', { name: 'Create' }).click();
  await expect(page.getByRole('button', { name: 'Workspace: Difference engine' })).toBeVisible();
}

/** Makes an account by the link of an invitation. */
async function join(browser: Browser, link: string, complaints: string[]) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  await listen(context, complaints);
  const mary = await context.newPage();
  await holdThread(mary);
  await mary.goto(link);
  await mary.getByLabel('User name').fill('mary');
  await mary.getByLabel('Password', { exact: true }).fill('a paper bridge');
  await mary.getByRole('button', { name: 'Make the account' }).click();
  await inside(mary);
  return { context, mary };
}

test('a viewer sees the terminal and cannot type in it; when the share is withdrawn the view stops', async ({ page, browser, hub, machines, complaints }) => {
  test.setTimeout(180_000);
  await setUpAdmin(page, hub);
  const link = await makeOrganisation(page);
  const dialog = await register(page, machines, 'mill', 'Engine Works');
  await dialog.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('button', { name: 'Terminals', exact: true }).click();
  await makeWorkspace(page);

  const { context, mary } = await join(browser, link, complaints);

  await page.getByRole('button', { name: 'New terminal on mill' }).click();
  await prompt(page);
  await run(page, 'echo engine-$((40+2))');
  await expect(screen(page)).toContainText('engine-42');

  await page.getByRole('button', { name: /^Sharing/ }).click();
  const sharing = page.getByRole('dialog', { name: 'Sharing of Difference engine' });
  // It shows what the Hub has answered.
  await sharing.getByRole('checkbox', { name: /mill/ }).click();
  await expect(sharing.getByRole('checkbox', { name: /mill/ })).toBeChecked();
  await sharing.getByLabel('Share with').selectOption({ label: 'mary' });
  await sharing.getByRole('button', { name: 'Share', exact: true }).click();
  const row = sharing.getByRole('list', { name: 'Shared with' }).getByRole('listitem').first();
  await expect(row).toContainText(/Certified as viewer|Certify/, { timeout: 20_000 });
  const certify = row.getByRole('button', { name: /^Certify/ });
  if (await certify.isVisible()) await certify.click();
  await expect(row).toContainText('Certified as viewer until', { timeout: 20_000 });
  await axeInBothThemes(page, 'sharing');
  await sharing.getByRole('button', { name: 'Done' }).click();

  await mary.getByRole('button', { name: /^Workspace:/ }).click();
  await mary.getByRole('button', { name: /Difference engine/ }).click();
  await expect(screen(mary)).toContainText('engine-42', { timeout: 45_000 });
  await expect(mary.getByText('View only')).toBeVisible();
  await axeInBothThemes(mary, 'viewer');
  await mary.locator('.panel:not([hidden]) .terminal-host').click();
  await mary.keyboard.type('echo never-$((1+1))');
  await expect(mary.locator('.toast')).toContainText('View only');
  // The Worker says the same to whoever sends it all the same, and the page's own view stays.
  expect(await typeAnyway(mary, 'echo never-$((1+1))\r')).toBe(PERMISSION_DENIED);
  await page.locator('.panel:not([hidden]) .terminal-host').click();
  await run(page, 'echo still-$((3+4))');
  await expect(screen(mary)).toContainText('still-7');
  await expect(screen(page)).not.toContainText('never');
  await expect(page.getByRole('list', { name: 'Also here' })).toBeVisible({ timeout: 30_000 });

  await page.getByRole('button', { name: /^Sharing/ }).click();
  await row.getByRole('button', { name: /^Withdraw/ }).click();
  await expect(mary.getByRole('button', { name: 'Workspace: Difference engine' })).toHaveCount(0, { timeout: 10_000 });
  await expect(mary.getByText('still-7')).toHaveCount(0);
  await context.close();
});

test('a Worker is only for its owner until it is attached, and then for those whom the owner saw and certified', async ({ page, browser, hub, machines, complaints }) => {
  test.setTimeout(240_000);
  await setUpAdmin(page, hub);
  const link = await makeOrganisation(page);
  for (const name of ['mill', 'loom']) {
    const dialog = await register(page, machines, name, 'Engine Works');
    await dialog.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('button', { name: 'Terminals', exact: true }).click();
  }
  await makeWorkspace(page);
  const { context, mary } = await join(browser, link, complaints);
  await settings(mary, 'This browser');
  const device = mary.getByRole('list', { name: 'Your devices' }).getByRole('listitem').filter({ hasText: 'this one' });
  const words = await device.locator('.words').textContent() ?? 'no words';

  await page.getByRole('button', { name: /^Sharing/ }).click();
  const sharing = page.getByRole('dialog', { name: 'Sharing of Difference engine' });
  await sharing.getByLabel('Share with').selectOption({ label: 'mary' });
  await sharing.getByLabel('As', { exact: true }).selectOption({ label: 'Editor: types' });
  await sharing.getByRole('button', { name: 'Share', exact: true }).click();
  await expect(sharing.getByRole('list', { name: 'Shared with' })).toContainText('none of your Workers is attached');
  await sharing.getByRole('button', { name: 'Done' }).click();

  await page.getByRole('button', { name: 'New terminal on mill' }).click();
  await page.getByRole('dialog', { name: 'Use mill in Difference engine?' }).getByRole('button', { name: /^Only for me/ }).click();
  await prompt(page);
  await run(page, 'echo alone-$((40+2))');
  await expect(screen(page)).toContainText('alone-42');

  await page.getByRole('button', { name: 'New terminal on loom' }).click();
  await page.getByRole('dialog', { name: 'Use loom in Difference engine?' }).getByRole('button', { name: 'Attach' }).click();
  const admission = page.getByRole('dialog', { name: 'Let them in to loom?' });
  await expect(admission.getByRole('listitem')).toHaveText(`mary editor${words}`);
  await axeInBothThemes(page, 'admission');
  await admission.getByRole('button', { name: 'Certify and open' }).click();
  await expect(page.getByRole('tab')).toHaveCount(2);
  await prompt(page);
  await run(page, 'echo shared-$((40+3))');
  await expect(screen(page)).toContainText('shared-43');

  await mary.getByRole('button', { name: 'Terminals', exact: true }).click();
  await mary.getByRole('button', { name: /^Workspace:/ }).click();
  await mary.getByRole('button', { name: /Difference engine/ }).click();
  await expect(screen(mary)).toContainText('shared-43', { timeout: 45_000 });
  await expect(mary.getByRole('tab')).toHaveCount(1);
  await mary.locator('.panel:not([hidden]) .terminal-host').click();
  await run(mary, 'echo typed-$((40+4))');
  await expect(screen(page)).toContainText('typed-44');

  await page.getByRole('button', { name: /^Sharing/ }).click();
  await sharing.getByRole('checkbox', { name: /mill/ }).click();
  const due = sharing.locator('.certificate.due');
  await expect(due).toContainText('Waits for your certificate as editor at mill');
  await due.getByText('Compare words').click();
  await expect(due.locator('.words')).toHaveText(words);
  await due.getByRole('button', { name: /^Certify/ }).click();
  await expect(sharing.locator('.certificate.good')).toHaveCount(2);
  await sharing.getByRole('button', { name: 'Done' }).click();
  await expect(mary.getByRole('tab')).toHaveCount(2, { timeout: 30_000 });
  await context.close();
});
