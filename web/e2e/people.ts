/** People at a Hub with accounts, in the page and without one. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, type Solo } from './rig';
import type { Page } from '@playwright/test';

export const ADMIN = { username: 'ada', password: 'a bridge of paper' } as const;

export async function accessToken(hub: Solo): Promise<string> {
  return (await readFile(join(hub.dataDir, 'access-token'), 'utf8')).trim();
}

/** Makes the first admin in the page, which is then signed in. */
export async function setUpAdmin(page: Page, hub: Solo): Promise<void> {
  await page.goto(hub.url);
  await page.getByLabel('Access token', { exact: true }).fill(await accessToken(hub));
  await page.getByLabel('User name').fill(ADMIN.username);
  await page.getByLabel('Password', { exact: true }).fill(ADMIN.password);
  await page.getByRole('button', { name: 'Make the first admin' }).click();
  await inside(page);
}

export async function signIn(page: Page, hub: Solo, { username, password }: { username: string; password: string } = ADMIN): Promise<void> {
  await page.goto(hub.url);
  await typeNameAndPassword(page, username, password);
  await inside(page);
}

export async function typeNameAndPassword(page: Page, username: string, password: string): Promise<void> {
  await page.getByLabel('User name').fill(username);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.keyboard.press('Enter');
}

/** The workspace is there. */
export async function inside(page: Page): Promise<void> {
  await expect(page.getByRole('button', { name: 'Settings, keys and devices' })).toBeVisible();
}

export async function settings(page: Page, part: string): Promise<void> {
  if (!(await page.getByRole('heading', { name: 'Settings', level: 1 }).isVisible())) {
    await page.getByRole('button', { name: 'Settings, keys and devices' }).click();
  }
  await page.getByRole('navigation', { name: 'Parts of Settings' }).getByRole('button', { name: part, exact: true }).click();
}

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

/** Asks the Hub as a program does. */
export async function ask(hub: Solo, method: string, request: object, bearer?: string): Promise<Answer> {
  const response = await fetch(new URL(`/leapmux.v1.${method}`, hub.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(bearer && { authorization: `Bearer ${bearer}` }) },
    body: JSON.stringify(request),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
