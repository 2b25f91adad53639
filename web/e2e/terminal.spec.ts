import { axeInBothThemes, expect, openShell, prompt, run, screen, shot, test } from './rig';

test('a person who opens the URL gets a prompt without a click, and true colour', async ({ page, solo }) => {
  await openShell(page, solo);
  await run(page, "printf '\\033[38;2;12;200;99mTRUE%s\\033[0m\\n' COLOUR");
  const coloured = screen(page).locator('span', { hasText: 'TRUECOLOUR' }).last();
  await expect(coloured).toHaveCSS('color', 'rgb(12, 200, 99)');
  await shot(page, 'terminal-dark-or-light');
});

test('a resized window resizes the terminal: stty agrees with the screen', async ({ page, solo }) => {
  await openShell(page, solo);
  for (const [width, height] of [[1000, 600], [1400, 900]] as const) {
    await page.setViewportSize({ width, height });
    await run(page, 'clear; echo "size=$(stty size)="');
    await expect(screen(page)).toContainText(/size=\d+ \d+=/);
    await expect.poll(async () => {
      await run(page, 'clear; echo "size=$(stty size)="');
      const rows = await screen(page).locator('> div').count();
      const said = /size=(\d+) (\d+)=/.exec((await screen(page).textContent()) ?? '');
      return said !== null && Number(said[1]) === rows && Number(said[2]) > 60;
    }).toBe(true);
  }
});

test('reloading inside vim gives the same screen', async ({ page, solo }) => {
  await openShell(page, solo);
  await run(page, 'vim -u NONE -n');
  await expect(screen(page)).toContainText('VIM - Vi IMproved');
  await page.keyboard.type('ihello from vim');
  await page.keyboard.press('Enter');
  await page.keyboard.type('second line');
  await page.keyboard.press('Escape');
  await expect(screen(page)).toContainText('second line');
  const text = async () => (await screen(page).locator('> div').allTextContents()).map((line) => line.trimEnd());
  const before = await text();
  await page.reload();
  await expect(screen(page)).toContainText('hello from vim', { timeout: 30_000 });
  await expect.poll(text).toEqual(before);
  await shot(page, 'vim-after-reload');
  await page.keyboard.type(':q!');
  await page.keyboard.press('Enter');
  await expect(screen(page)).not.toContainText('hello from vim');
});

test('find marks matches and steps through them', async ({ page, solo }) => {
  await openShell(page, solo);
  await run(page, 'for i in 1 2 3; do echo needle-$i; done');
  await expect(screen(page)).toContainText('needle-3');
  await page.keyboard.press('Control+Shift+F');
  await page.keyboard.type('needle-');
  const count = page.locator('.find-count');
  await expect(count).toHaveText(/\d of \d/);
  const first = await count.textContent();
  await page.keyboard.press('Enter');
  await expect(count).not.toHaveText(first ?? '');
  await shot(page, 'find');
  await page.keyboard.press('Escape');
  await run(page, 'echo back-in-shell');
  await expect(screen(page)).toContainText('back-in-shell');
});

test('selecting copies and says so; several pasted lines are shown first', async ({ page, solo }) => {
  await openShell(page, solo);
  await run(page, 'clear; echo alpha; echo beta');
  await expect(screen(page).getByText('beta', { exact: true }).first()).toBeVisible();
  const row = await screen(page).locator('> div', { hasText: /^beta/ }).first().boundingBox();
  if (!row) throw new Error('no row');
  await page.mouse.dblclick(row.x + 8, row.y + row.height / 2);
  await expect(page.locator('.toast')).toHaveText('Copied 1 line');
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('beta');

  await page.evaluate(() => navigator.clipboard.writeText('echo one\necho two\n'));
  await page.keyboard.press('Control+Shift+V');
  const dialog = page.getByRole('dialog', { name: 'Paste 2 lines?' });
  await expect(dialog).toBeVisible();
  await shot(page, 'paste-warning');
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await expect(screen(page)).not.toContainText('echo one');
  await page.keyboard.press('Control+Shift+V');
  await page.getByRole('button', { name: 'Paste', exact: true }).last().click();
  await page.keyboard.press('Enter');
  await expect(screen(page)).toContainText('two');
});

test('a link under another text says where it leads before it is opened', async ({ page, solo }) => {
  await openShell(page, solo);
  const target = `${solo.url}#linked`;
  await run(page, `clear; printf '\\033]8;;${target}\\033\\\\bank.%s\\033]8;;\\033\\\\\\n' example`);
  const link = await screen(page).getByText('bank.example', { exact: true }).last().boundingBox();
  if (!link) throw new Error('no link');
  const [x, y] = [link.x + 20, link.y + link.height / 2];
  await page.mouse.move(x, y);
  await expect(page.locator('.terminal-host').first()).toHaveAttribute('title', target);
  await page.mouse.click(x, y);
  await expect(page.locator('.toast')).toContainText(target);
  await page.keyboard.down('Control');
  await page.mouse.click(x, y);
  await page.keyboard.up('Control');
  const dialog = page.getByRole('dialog', { name: 'Open this link?' });
  await expect(dialog.locator('pre')).toHaveText(target);
  await expect(dialog).toContainText(new URL(target).host);
  await expect(dialog.getByRole('button', { name: 'Cancel' })).toBeFocused();
  await axeInBothThemes(page, 'link');
  const opened = page.context().waitForEvent('page');
  await dialog.getByRole('button', { name: 'Open' }).click();
  expect((await opened).url()).toBe(target);
  await expect(dialog).toBeHidden();
});

test('an ended shell says its code, and Enter starts a new one', async ({ page, solo }) => {
  await openShell(page, solo);
  await run(page, 'exit 7');
  await expect(page.locator('[data-bar="ended"]')).toContainText('Ended with code 7. Press Enter to restart.');
  await shot(page, 'ended');
  await page.keyboard.press('Enter');
  await expect(page.locator('[data-bar="ended"]')).toHaveCount(0);
  await prompt(page);
  await run(page, 'echo again-$((20+3))');
  await expect(screen(page)).toContainText('again-23');
});

test('a program bell in another tab marks it and counts in the page title', async ({ page, solo }) => {
  await openShell(page, solo);
  await run(page, "sleep 2; printf '\\a'");
  await page.keyboard.press('Control+Shift+Enter');
  await expect(page.getByRole('tab')).toHaveCount(2);
  await expect(page).toHaveTitle(/^\(1\) /);
  await page.keyboard.press('Control+Shift+ArrowLeft');
  await expect(page).not.toHaveTitle(/^\(1\) /);
});

test('larger text means fewer columns, and the terminal follows the theme', async ({ page, solo }) => {
  await openShell(page, solo);
  const columns = async () => {
    await run(page, 'clear; echo "cols=$(tput cols)="');
    await expect(screen(page)).toContainText(/cols=\d+=/);
    return Number(/cols=(\d+)=/.exec((await screen(page).textContent()) ?? '')?.[1]);
  };
  const before = await columns();
  for (let step = 0; step < 4; step += 1) await page.keyboard.press('Control+=');
  await expect.poll(columns).toBeLessThan(before);
  await page.keyboard.press('Control+0');
  await expect.poll(columns).toBe(before);

  const background = () => page.locator('.panel:not([hidden]) .xterm-scrollable-element').first().evaluate((node) => getComputedStyle(node).backgroundColor);
  await page.emulateMedia({ colorScheme: 'light' });
  await expect.poll(background).toBe('rgb(255, 255, 255)');
  await page.emulateMedia({ colorScheme: 'dark' });
  await expect.poll(background).toBe('rgb(20, 24, 27)');
});

test('a program may write the clipboard while its terminal has the focus', async ({ page, solo }) => {
  await openShell(page, solo);
  await run(page, "printf '\\033]52;c;%s\\007' \"$(printf from-program | base64)\"");
  await expect(page.locator('.toast')).toHaveText('The program copied 1 line');
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('from-program');
});

test('the last row of a terminal is inside its tile at every height', async ({ page, solo }) => {
  await openShell(page, solo);
  for (const height of [500, 507, 513, 611, 799]) {
    await page.setViewportSize({ width: 1000, height });
    await expect.poll(() => page.evaluate(() => {
      const rows = document.querySelector('.panel:not([hidden]) .xterm-rows')?.getBoundingClientRect();
      const panel = document.querySelector('.panel:not([hidden])')?.getBoundingClientRect();
      return rows && panel ? rows.bottom <= panel.bottom && panel.bottom - rows.bottom < 30 : false;
    })).toBe(true);
  }
});
