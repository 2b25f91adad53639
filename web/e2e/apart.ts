/** Hub and Worker as processes of their own, with a wire on each side of the Hub. */

import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { Daemon } from './daemon';
import { ADMIN } from './people';
import { prompt } from './rig';
import { Wire } from './wire';

export class Apart {
  /** Between the page and the Hub. */
  readonly wire: Wire;
  /** Between the Worker and the Hub. */
  readonly link: Wire;
  private hub!: Daemon;
  private worker!: Daemon;
  private hubUrl = 'http://127.0.0.1:0/';

  private constructor(private readonly home: string, wire: Wire, link: Wire) {
    this.wire = wire;
    this.link = link;
  }

  static async start(): Promise<Apart> {
    const home = await mkdtemp(join(tmpdir(), 'leapmux-e2e-'));
    // A prompt that is the same for every user.
    await writeFile(join(home, '.bashrc'), "PS1='$ '\n");
    const apart = new Apart(home, await Wire.open(), await Wire.open());
    await apart.startHub();
    await apart.register();
    return apart;
  }

  /** On the port that it had before. */
  async startHub(): Promise<void> {
    const port = new URL(this.hubUrl).port || '0';
    const args = ['hub', '--data-dir', this.hubData, '--listen', `127.0.0.1:${port}`, '--admin-listen', '127.0.0.1:0'];
    this.hub = Daemon.launch(args, { ...this.environment, LEAPMUX_HUB_PUBLIC_URL: this.wire.url });
    this.hubUrl = await this.hub.hears(/^LeapMux is ready: (http:\S+)/m);
    this.wire.to(this.hubUrl);
    this.link.to(this.hubUrl);
  }

  async killHub(): Promise<void> {
    await this.hub.stop('SIGKILL');
  }

  async killWorker(): Promise<void> {
    await this.worker.stop('SIGKILL');
  }

  startWorker(more: string[] = []): void {
    // Any device: the page is the only one that these scenarios are about.
    const args = ['worker', '--data-dir', join(this.home, 'worker'), '--device-trust', 'any', ...more];
    this.worker = Daemon.launch(args, this.environment);
  }

  /** Makes the first admin, to whom the Worker belongs, and waits for a prompt. */
  async open(page: Page): Promise<void> {
    await page.goto(this.wire.url);
    await page.getByLabel('Access token', { exact: true }).fill(await this.token());
    await page.getByLabel('User name').fill(ADMIN.username);
    await page.getByLabel('Password', { exact: true }).fill(ADMIN.password);
    await page.keyboard.press('Enter');
    await prompt(page);
  }

  /** A word for a program in a terminal: a file in the home folder of both. */
  async leave(name: string): Promise<void> {
    await writeFile(join(this.home, name), '');
  }

  /** Whether a program left one. */
  finds(name: string): Promise<boolean> {
    return access(join(this.home, name)).then(() => true, () => false);
  }

  async remove(): Promise<void> {
    await Promise.all([this.hub.stop('SIGKILL'), this.worker.stop('SIGTERM')]);
    await Promise.all([this.wire.close(), this.link.close()]);
    await rm(this.home, { recursive: true, force: true });
  }

  private async register(): Promise<void> {
    const remote = ['remote', '--hub', this.hubUrl];
    await Daemon.run([...remote, 'login'], this.environment, await this.token());
    const made = await Daemon.run([...remote, '--json', 'worker', 'register'], this.environment);
    const file = join(this.home, 'registration-key');
    await writeFile(file, (JSON.parse(made) as { registration_key: string }).registration_key);
    this.startWorker(['--hub', this.link.url, '--registration-key-file', file]);
  }

  private async token(): Promise<string> {
    return (await readFile(join(this.hubData, 'access-token'), 'utf8')).trim();
  }

  private get hubData(): string {
    return join(this.home, 'hub');
  }

  private get environment(): Record<string, string> {
    return { HOME: this.home, SHELL: '/bin/bash', LANG: 'C.UTF-8' };
  }
}
