/** Ways in that lead over somebody else: a provider of sign-in, a mail server. */

import { spawnSync } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { Mailbox } from './mailbox';
import { ADMIN, inside, setUpAdmin, settings, signIn, typeNameAndPassword } from './people';
import { Provider } from './provider';
import { axeInBothThemes, expect, shot, Solo, test as base } from './rig';

const BINARY = resolve(process.env['LEAPMUX_BIN'] ?? '../target/debug/leapmux');

const test = base.extend<{ mailbox: Mailbox; hub: Solo; provider: Provider }>({
  mailbox: async ({}, use) => {
    const mailbox = await Mailbox.start();
    await use(mailbox);
    await mailbox.stop();
  },
  hub: async ({ mailbox }, use) => {
    const hub = await Solo.startHub({
      LEAPMUX_HUB_SIGN_UP: 'true',
      LEAPMUX_HUB_MAIL__HOST: '127.0.0.1',
      LEAPMUX_HUB_MAIL__PORT: String(mailbox.port),
      LEAPMUX_HUB_MAIL__SECURITY: 'none',
      LEAPMUX_HUB_MAIL__FROM: 'hub@example.org',
    }, await freePort());
    await use(hub);
    await hub.remove();
  },
  provider: async ({ hub }, use) => {
    const provider = await Provider.start({ sub: 'p-1', email: 'mary@example.org', name: 'Mary' });
    const added = spawnSync(BINARY, ['admin', '--data-dir', hub.dataDir, 'oauth-provider', 'add', '--kind', 'oidc', '--name', 'Example',
      '--issuer', provider.issuer, '--client-id', provider.clientId], { input: provider.secret, encoding: 'utf8' });
    expect(added.stderr + added.stdout).toContain('was added');
    await use(provider);
    await provider.stop();
  },
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

test('somebody who comes from a provider of another site has an account, stays signed in, and comes back to it', async ({ page, hub, provider }) => {
  await setUpAdmin(page, hub);
  await page.context().clearCookies();
  await page.goto(hub.url);
  await page.getByRole('link', { name: 'Go on with Example' }).click();
  await expect(page.getByRole('heading', { name: 'Mary?' })).toBeVisible();
  await page.getByRole('link', { name: 'Yes' }).click();
  await inside(page);
  await shot(page, 'came-by-a-provider');
  await page.reload();
  await inside(page);
  await settings(page, 'Account');
  const linked = page.getByRole('region', { name: /linked/i });
  await expect(linked).toContainText('Example');
  await axeInBothThemes(page, 'linked');
  const cookies = await page.context().cookies(hub.url);
  expect(cookies.map(({ name, sameSite, httpOnly }) => ({ name, sameSite, httpOnly })).filter(({ name }) => name === 'leapmux'))
    .toEqual([{ name: 'leapmux', sameSite: 'Strict', httpOnly: true }]);

  await page.context().clearCookies();
  await page.goto(hub.url);
  await page.getByRole('link', { name: 'Go on with Example' }).click();
  await page.getByRole('link', { name: 'Yes' }).click();
  await inside(page);
  await settings(page, 'Logins');
  await expect(page.getByRole('list', { name: 'Logins' }).getByRole('listitem')).toHaveCount(2);

  // Another person at the provider is another one here.
  provider.account = { sub: 'p-2', email: 'mary@example.org', name: 'Mallory' };
  await page.context().clearCookies();
  await page.goto(hub.url);
  await page.getByRole('link', { name: 'Go on with Example' }).click();
  await page.getByRole('link', { name: 'Yes' }).click();
  await inside(page);
  await settings(page, 'Logins');
  await expect(page.getByRole('list', { name: 'Logins' }).getByRole('listitem')).toHaveCount(1);
});

test('an address is confirmed and a forgotten password replaced by the links that come by mail', async ({ page, hub, mailbox }) => {
  await setUpAdmin(page, hub);
  await settings(page, 'Account');
  await page.getByRole('button', { name: /address/i }).first().click();
  await page.getByLabel('Address').fill('ada@example.org');
  await page.getByRole('textbox', { name: /password/i }).last().fill(ADMIN.password);
  await page.keyboard.press('Enter');
  await page.goto(await mailbox.link('ada@example.org'));
  await page.getByRole('button', { name: 'Confirm the address' }).click();
  await expect(page.getByRole('status').first()).toContainText('ada@example.org is confirmed');
  expect(page.url()).not.toContain('#');
  await shot(page, 'confirmed');

  await page.context().clearCookies();
  await page.goto(hub.url);
  await page.getByText('Forgot the password?').first().click();
  await page.getByLabel('E-mail').fill('ada@example.org');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('status').first()).toContainText('is on its way');
  await page.goto(await mailbox.link('ada@example.org', 2));
  await page.getByRole('textbox', { name: /password/i }).first().fill('another bridge of paper');
  await shot(page, 'choose-a-password');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('status').first()).toContainText('has ended');
  expect(page.url()).not.toContain('#');
  await page.goto(hub.url);
  await typeNameAndPassword(page, ADMIN.username, ADMIN.password);
  await expect(page.getByRole('alert')).toBeVisible();
  await signIn(page, hub, { username: ADMIN.username, password: 'another bridge of paper' });
});
