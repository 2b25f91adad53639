/** The page without a Hub: test/ui/fake, whose scenes answer instead, built once and served. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build, preview, type PreviewServer } from 'vite';
import type { Page } from '@playwright/test';
import { expect } from './rig';

export class FakePage {
  private constructor(private readonly server: PreviewServer, private readonly folder: string, private readonly origin: string) {}

  static async start(): Promise<FakePage> {
    const outDir = await mkdtemp(join(tmpdir(), 'leapmux-fake-'));
    const input = resolve('test/ui/fake/index.html');
    await build({ logLevel: 'error', build: { outDir, emptyOutDir: true, minify: false, reportCompressedSize: false, rollupOptions: { input } } });
    const server = await preview({ logLevel: 'error', build: { outDir }, preview: { port: 0, host: '127.0.0.1', strictPort: false } });
    return new FakePage(server, outDir, server.resolvedUrls?.local[0] ?? '');
  }

  /** `at`: a path of the page, with what stands behind `#`; `origin`: another name for the same. */
  async open(page: Page, scene: string, at = '/', origin = this.origin): Promise<void> {
    const [path = '/', fragment = ''] = at.split('#');
    await page.goto(`${origin}test/ui/fake/index.html?scene=${scene}&at=${encodeURIComponent(path)}${fragment && `#${fragment}`}`);
    await expect(page.locator('.entry, .settings')).toBeVisible();
    await expect(page.getByText(/^(Loading…|Asking the Hub…)$/)).toHaveCount(0);
  }

  /** As if it was at `origin`, which may be anywhere. */
  async appearAt(page: Page, origin: string): Promise<void> {
    await page.route(`${origin}**`, async (route) => {
      const response = await route.fetch({ url: route.request().url().replace(origin, this.origin) });
      await route.fulfill({ response });
    });
  }

  async stop(): Promise<void> {
    await new Promise<void>((done) => this.server.httpServer.close(() => done()));
    await rm(this.folder, { recursive: true, force: true });
  }
}
