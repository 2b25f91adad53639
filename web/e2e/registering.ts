/** Registering a Worker in the page and running the command that it shows. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Locator, Page } from '@playwright/test';
import { Daemon } from './daemon';
import { expect, Solo, test as base } from './rig';

/** Machines of one scenario, gone with it. */
export class Machines {
  readonly #all: { home: string; daemon: Daemon }[] = [];

  async run(command: string): Promise<Daemon> {
    const home = await mkdtemp(join(tmpdir(), 'leapmux-e2e-'));
    await writeFile(join(home, '.bashrc'), "PS1='$ '\n");
    const daemon = await Daemon.paste(command, home);
    this.#all.push({ home, daemon });
    return daemon;
  }

  async remove(): Promise<void> {
    for (const { home, daemon } of this.#all) {
      await daemon.stop();
      await rm(home, { recursive: true, force: true });
    }
  }
}

/** A Hub with accounts, and machines that become its Workers. */
export const test = base.extend<{ hub: Solo; machines: Machines }>({
  hub: async ({}, use) => {
    const hub = await Solo.startHub();
    await use(hub);
    await hub.remove();
  },
  machines: async ({}, use) => {
    const machines = new Machines();
    await use(machines);
    await machines.remove();
  },
});

/** Opens the dialog and makes a command, which it shows then. */
export async function makeCommand(page: Page, name: string, organisation?: string): Promise<{ dialog: Locator; command: string }> {
  await page.getByRole('button', { name: 'Workers', exact: true }).click();
  await page.getByRole('button', { name: 'Register a Worker' }).click();
  const dialog = page.getByRole('dialog', { name: 'Register a Worker' });
  await dialog.getByLabel('Name').fill(name);
  if (organisation !== undefined) await dialog.getByLabel('Organisation').selectOption({ label: organisation });
  await dialog.getByRole('button', { name: 'Make the command' }).click();
  await dialog.getByRole('button', { name: 'Copy', exact: true }).click();
  await expect(dialog.getByRole('button', { name: 'Copied' })).toBeVisible();
  return { dialog, command: await page.evaluate(() => navigator.clipboard.readText()) };
}

/** Until both have proved their keys to each other. */
export async function register(page: Page, machines: Machines, name: string, organisation?: string): Promise<Locator> {
  const { dialog, command } = await makeCommand(page, name, organisation);
  await machines.run(command);
  await expect(dialog.locator('.step.done')).toHaveCount(3, { timeout: 40_000 });
  return dialog;
}
