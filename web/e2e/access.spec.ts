import { axe, expect, openShell, run, screen, shot, test } from './rig';

for (const theme of ['light', 'dark'] as const) {
  test(`axe finds nothing on any screen in the ${theme} theme`, async ({ page, solo }) => {
    await page.emulateMedia({ colorScheme: theme });
    await openShell(page, solo);
    // Our sixteen colours; pairs that a program chooses are its own affair, or a setting's.
    await run(page, `for c in 31 32 33 34 35 36 37 90 91 92 93 94 95 96 97; do printf "\\033[\${c}mcolour $c\\033[0m\\n"; done`);
    await expect(screen(page).locator('span', { hasText: 'colour 97' }).last()).toBeVisible();
    await shot(page, `workspace-${theme}`);
    expect(await axe(page)).toEqual([]);

    await page.keyboard.press('Control+Shift+E');
    await expect(page.locator('.tile')).toHaveCount(2);
    await page.keyboard.press('Control+Shift+F');
    await page.keyboard.type('a');
    expect(await axe(page)).toEqual([]);
    await page.keyboard.press('Escape');

    for (const [open, name] of [
      ['Control+Shift+K', 'palette'],
      ['Control+Shift+H', 'keys'],
      ['Control+Shift+X', 'close'],
    ] as const) {
      await page.keyboard.type(' ');
      await page.keyboard.press(open);
      await expect(page.locator('dialog[open]')).toBeVisible();
      await shot(page, `${name}-${theme}`);
      expect(await axe(page)).toEqual([]);
      await page.keyboard.press('Escape');
      await expect(page.locator('dialog[open]')).toHaveCount(0);
    }

    await page.locator('.status-line').getByRole('button', { name: /Connected/ }).click();
    expect(await axe(page)).toEqual([]);
    await page.keyboard.press('Escape');

    await page.getByRole('button', { name: 'Settings, keys and devices' }).click();
    await expect(page.getByRole('heading', { name: 'Settings' })).toBeVisible();
    await expect(page.getByText('this one')).toBeVisible();
    await shot(page, `settings-${theme}`);
    expect(await axe(page)).toEqual([]);
  });
}

test('by keyboard alone, from the first press to a command in a new tile and back out', async ({ page, solo }) => {
  await openShell(page, solo);
  await page.keyboard.press('Control+F6');
  await expect(page.locator('.status-line :focus')).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog', { name: /^Connection to/ })).toBeVisible();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+F6');
  await expect(page.locator('.rail :focus')).toBeVisible();
  await page.keyboard.press('Control+F6');
  await run(page, 'echo keyboard-$((5*5))');
  await expect(screen(page)).toContainText('keyboard-25');
});
