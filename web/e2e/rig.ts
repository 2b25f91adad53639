/** The real binary on loopback, and what every scenario needs of a page. */

import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test as base, type BrowserContext, type Locator, type Page } from '@playwright/test';
import { Daemon } from './daemon';

/** One `leapmux solo` with a data folder of its own; it can be stopped and started again. */
export class Solo {
  url = '';
  admin = '';
  /** `solo`, or a `hub` that asks for a token. */
  private role: 'solo' | 'hub' = 'solo';
  private publicUrl: string | undefined;
  private settings: Record<string, string> = {};
  private daemon: Daemon | undefined;

  private constructor(readonly dataDir: string) {}

  /** `publicUrl`: where browsers find it, if not at its own address. */
  static async start(publicUrl?: string): Promise<Solo> {
    const solo = new Solo(await mkdtemp(join(tmpdir(), 'leapmux-e2e-')));
    solo.publicUrl = publicUrl;
    // A prompt that is the same for every user.
    await writeFile(join(solo.dataDir, '.bashrc'), "PS1='$ '\n");
    await solo.run([]);
    return solo;
  }

  /** With a `port`, browsers are told of its address. */
  static async startHub(settings: Record<string, string> = {}, port?: number): Promise<Solo> {
    const hub = new Solo(await mkdtemp(join(tmpdir(), 'leapmux-e2e-')));
    hub.role = 'hub';
    hub.settings = settings;
    if (port !== undefined) {
      hub.url = `http://127.0.0.1:${port}`;
      hub.publicUrl = hub.url;
    }
    await hub.run([]);
    return hub;
  }

  /** Starts on the same ports as before. */
  async run(flags: string[]): Promise<void> {
    const port = this.url === '' ? '0' : new URL(this.url).port;
    const args = [this.role, '--data-dir', this.dataDir, '--listen', `127.0.0.1:${port}`, '--admin-listen', '127.0.0.1:0', ...flags];
    const env = { SHELL: '/bin/bash', HOME: this.dataDir, LANG: 'C.UTF-8', ...this.settings, ...(this.publicUrl && { LEAPMUX_HUB_PUBLIC_URL: this.publicUrl }) };
    const daemon = Daemon.launch(args, env);
    this.daemon = daemon;
    this.url = await daemon.hears(/^LeapMux is ready: (http:\S+)/m);
    this.admin = await daemon.hears(/^Admin: (http:\S+)/m);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.daemon?.stop(signal);
    this.daemon = undefined;
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.dataDir, { recursive: true, force: true });
  }

  /** The sum of a counter over all its labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(new URL('/metrics', this.admin))).text();
    return text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }
}

interface Rig {
  solo: Solo;
  /** What broke a policy or was logged as an error, in any page; must stay empty. */
  complaints: string[];
}

export const test = base.extend<Rig>({
  solo: async ({}, use) => {
    const solo = await Solo.start();
    await use(solo);
    await solo.remove();
  },
  complaints: [async ({ context }, use) => {
    const complaints: string[] = [];
    await listen(context, complaints);
    await use(complaints);
    expect(complaints).toEqual([]);
  }, { auto: true }],
});

/** Collects policy violations and errors. A Hub that is down is no complaint: the page says so itself. */
export async function listen(context: BrowserContext, complaints: string[]): Promise<void> {
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sample} ${event.sourceFile}:${event.lineNumber}`);
    });
  });
  const watch = (page: Page) => {
    page.on('console', (message) => {
      const text = message.text();
      const hubDown = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_SOCKET_NOT_CONNECTED|WebSocket connection to/.test(text);
      const refused = /Failed to load resource: the server responded with a status of (40[01349]|429)/.test(text);
      if (message.type() === 'error' && !hubDown && !refused) complaints.push(text);
    });
    page.on('pageerror', (error) => complaints.push(`${error.message}\n${error.stack ?? ''}`));
  };
  context.pages().forEach(watch);
  context.on('page', watch);
}

/** The terminal that has the attention, as text. */
export function screen(page: Page): Locator {
  return page.locator('.panel:not([hidden]) .xterm-rows').first();
}

/** Opens the page and waits for a prompt. */
export async function openShell(page: Page, solo: Solo): Promise<void> {
  await page.goto(solo.url);
  await prompt(page);
}

export async function prompt(page: Page): Promise<void> {
  await expect(screen(page)).toContainText('$', { timeout: 30_000 });
  await expect(page.locator('.panel:not([hidden]) .xterm-helper-textarea').first()).toBeFocused();
}

/** Types a line; what it prints is looked for by the caller. */
export async function run(page: Page, line: string): Promise<void> {
  await page.keyboard.type(line);
  await page.keyboard.press('Enter');
}

/** Every problem that axe finds, one line each. */
export async function axe(page: Page): Promise<string[]> {
  const source = readFileSync('node_modules/axe-core/axe.min.js', 'utf8');
  // Through the debugger and not through a script element, which the page's policy forbids.
  await page.evaluate(source);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(options: object): Promise<{ violations: { id: string; help: string; nodes: { html: string; failureSummary: string }[] }[] }> };
    };
    const { violations } = await axe.run({ resultTypes: ['violations'] });
    return violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 160)} ${node.failureSummary}`));
  });
}

/** Looks at the screen as it stands in both themes. */
export async function axeInBothThemes(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme });
    await shot(page, `${name}-${colorScheme}`);
    expect(await axe(page)).toEqual([]);
  }
}

export async function shot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `test-results/${name}.png` });
}

export { expect };
