import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ADMIN, ask, inside, setUpAdmin, settings, signIn, typeNameAndPassword } from './people';
import { register, test } from './registering';
import { axeInBothThemes, expect, listen, prompt, run, screen } from './rig';

/** Sums over all states. */
const CHANNELS = 'leapmux_hub_channels';

test('the other browser is revoked and stops at once', async ({ page, browser, hub, complaints }) => {
  await setUpAdmin(page, hub);
  const context = await browser.newContext();
  await listen(context, complaints);
  const other = await context.newPage();
  const events = other.waitForEvent('websocket', (socket) => socket.url().includes('/ws/events'));
  await signIn(other, hub);
  const closed = (await events).waitForEvent('close');

  await settings(page, 'Logins');
  const logins = page.getByRole('list', { name: 'Logins' }).getByRole('listitem');
  await expect(logins).toHaveCount(2);
  await expect(logins.first()).toContainText('this one');
  await axeInBothThemes(page, 'logins');
  await logins.nth(1).getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click();
  const asked = Date.now();
  await closed;
  expect(Date.now() - asked).toBeLessThan(2_000);
  // Looked at now and then only, which takes longer than it does.
  await expect(other.getByRole('alert')).toContainText('You were signed out');
  await expect(other.getByLabel('User name')).toBeVisible();
  await axeInBothThemes(other, 'revoked');
  await expect(logins).toHaveCount(1);
  await inside(page);
  await context.close();
});

test('a terminal in the other browser stops with its login, and goes on in this one', async ({ page, browser, hub, machines, complaints }) => {
  test.setTimeout(150_000);
  await setUpAdmin(page, hub);
  const dialog = await register(page, machines, 'mill');
  await dialog.getByRole('button', { name: 'Open terminal' }).click();
  await prompt(page);
  await run(page, 'i=0; while :; do echo tick-$((i=i+1)); sleep 0.1; done');
  await expect(screen(page)).toContainText('tick-5');

  const context = await browser.newContext();
  await listen(context, complaints);
  const other = await context.newPage();
  await signIn(other, hub);
  await page.getByRole('alertdialog', { name: 'A new device wants to connect' }).getByRole('button', { name: 'Approve' }).click({ timeout: 45_000 });
  await expect(screen(other)).toContainText('tick-', { timeout: 45_000 });
  await expect(async () => expect(await hub.metric(CHANNELS)).toBe(2)).toPass({ timeout: 5_000 });

  await settings(page, 'Logins');
  await page.getByRole('button', { name: 'Revoke all others' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click();
  await expect(other.getByRole('alert')).toContainText('You were signed out', { timeout: 2_000 });
  await expect(other.locator('.xterm')).toHaveCount(0);
  await expect(async () => expect(await hub.metric(CHANNELS)).toBe(1)).toPass({ timeout: 5_000 });

  await page.getByRole('button', { name: 'Terminals', exact: true }).click();
  const seen = Number(/tick-(\d+)(?!.*tick-)/s.exec((await screen(page).textContent()) ?? '')?.[1]);
  await expect(screen(page)).toContainText(`tick-${seen + 10}`);
  await context.close();
});

test('a new password ends all others and not the browser that changed it', async ({ page, browser, hub, complaints }) => {
  await setUpAdmin(page, hub);
  const context = await browser.newContext();
  await listen(context, complaints);
  const other = await context.newPage();
  await signIn(other, hub);

  await settings(page, 'Account');
  await page.getByRole('button', { name: 'Change the password' }).click();
  await page.getByLabel('Password now', { exact: true }).fill('not this one');
  await page.getByLabel('New password', { exact: true }).fill('another bridge of paper');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert').filter({ hasText: 'is another one' })).toBeVisible();
  await inside(page);
  await page.getByLabel('Password now', { exact: true }).fill(ADMIN.password);
  await page.keyboard.press('Enter');
  await expect(page.getByText('Password changed.')).toBeVisible();
  await expect(other.getByRole('alert')).toContainText('You were signed out');
  await inside(page);

  await typeNameAndPassword(other, ADMIN.username, ADMIN.password);
  await expect(other.getByRole('alert').filter({ hasText: 'wrong' })).toBeVisible();
  await typeNameAndPassword(other, ADMIN.username, 'another bridge of paper');
  await inside(other);
  await context.close();
});

test('an API token is made, shown once, used for what its scopes allow, and revoked', async ({ page, hub }) => {
  await setUpAdmin(page, hub);
  await settings(page, 'API tokens');
  await page.getByRole('button', { name: 'New token…' }).click();
  await page.getByLabel('Name').fill('nightly build');
  await page.getByLabel('Your password', { exact: true }).fill(ADMIN.password);
  await page.getByRole('button', { name: 'Make the token' }).click();
  const dialog = page.getByRole('dialog', { name: 'Copy the token now' });
  const token = await dialog.getByLabel('Access token', { exact: true }).inputValue();
  await page.keyboard.press('Escape');
  await expect(dialog).toBeVisible();
  await axeInBothThemes(page, 'token-once');
  await dialog.getByRole('button', { name: 'I have copied them' }).click();
  await expect(page.getByRole('list', { name: 'API tokens' })).toContainText('nightly build');

  const me = await ask(hub, 'AccountService/WhoAmI', {}, token);
  expect(me.body).toMatchObject({ signedIn: true, username: ADMIN.username, scopes: ['read'] });
  expect((await ask(hub, 'OrganisationService/ListOrganisations', {}, token)).status).toBe(200);
  expect((await ask(hub, 'WorkerService/ListWorkers', {}, token)).body['code']).toBe('permission_denied');
  expect((await ask(hub, 'OrganisationService/CreateOrganisation', { slug: 'engines' }, token)).body['code']).toBe('permission_denied');

  await page.getByRole('button', { name: 'Revoke nightly build' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click();
  await expect(page.getByText('None yet.')).toBeVisible();
  expect((await ask(hub, 'OrganisationService/ListOrganisations', {}, token)).status).toBe(401);
});

test('a program with a code is approved, and acts for whoever typed it', async ({ page, hub }) => {
  await setUpAdmin(page, hub);
  const { body } = await ask(hub, 'TokenService/StartDeviceLogin', { client: 'a build machine' });
  const [deviceCode, userCode] = [String(body['deviceCode']), String(body['userCode'])];
  expect(userCode).toMatch(/^[A-Z0-9]{4}-[A-Z0-9]{4}$/);
  await page.goto(new URL('device', hub.url).href);
  await page.getByLabel('Code').fill('AAAA-AAAA');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText('Nothing waits with this code');
  await page.getByLabel('Code').fill(userCode.replace('-', ' ').toLowerCase());
  await page.keyboard.press('Enter');
  await expect(page.getByText('a build machine')).toBeVisible();
  await expect(page.getByText('127.0.0.1', { exact: true })).toBeVisible();
  await axeInBothThemes(page, 'device-login');
  await page.getByRole('button', { name: 'Approve' }).click();
  await expect(page.getByText('Approved.')).toBeVisible();

  let tokens: Record<string, unknown> | undefined;
  await expect(async () => {
    tokens = (await ask(hub, 'TokenService/PollDeviceLogin', { deviceCode })).body['tokens'] as typeof tokens;
    expect(tokens).toBeDefined();
  }).toPass({ intervals: [6_000], timeout: 30_000 });
  const me = await ask(hub, 'AccountService/WhoAmI', {}, String(tokens?.['accessToken']));
  expect(me.body).toMatchObject({ signedIn: true, username: ADMIN.username });
  await page.getByRole('link', { name: 'Go to the Hub' }).click();
  await settings(page, 'API tokens');
  await expect(page.getByRole('list', { name: 'API tokens' })).toContainText('a build machine');
});

test('a command line on this machine is allowed in the page and trades its code for a token', async ({ page, hub }) => {
  await setUpAdmin(page, hub);
  const heard: string[] = [];
  const server = createServer((request, response) => {
    heard.push(request.url ?? '');
    response.end('done');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  try {
    const redirectUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
    const verifier = randomBytes(32).toString('base64url');
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const asking = new URLSearchParams({ client: 'leapmux remote', challenge, redirect_uri: redirectUri, state: 'st' });
    await page.goto(new URL(`authorise#${asking.toString()}`, hub.url).href);
    await expect(page.getByText('leapmux remote')).toBeVisible();
    expect(page.url()).not.toContain('challenge');
    await axeInBothThemes(page, 'authorise');
    await page.getByRole('button', { name: 'Allow' }).click();
    await expect(async () => expect(heard.find((path) => path.startsWith('/callback'))).toBeDefined()).toPass({ timeout: 10_000 });
    const back = new URL(heard.find((path) => path.startsWith('/callback')) ?? '', redirectUri).searchParams;
    expect(back.get('state')).toBe('st');
    const traded = await ask(hub, 'TokenService/ExchangeAuthorisation', { code: back.get('code'), verifier, redirectUri });
    const me = await ask(hub, 'AccountService/WhoAmI', {}, String(traded.body['accessToken']));
    expect(me.body).toMatchObject({ signedIn: true, username: ADMIN.username });
  } finally {
    server.close();
  }
});
