/** The page without a Hub: vite serves test/ui/fake, whose scenes answer instead. */

import { createServer, type ViteDevServer } from 'vite';
import type { Page } from '@playwright/test';
import { expect } from './rig';

export class FakePage {
  private constructor(private readonly server: ViteDevServer, private readonly origin: string) {}

  static async start(): Promise<FakePage> {
    const server = await createServer({ server: { port: 0, host: '127.0.0.1', strictPort: false }, logLevel: 'error' });
    await server.listen();
    return new FakePage(server, server.resolvedUrls?.local[0] ?? '');
  }

  /** `at`: a path of the page, with what stands behind `#`. */
  async open(page: Page, scene: string, at = '/'): Promise<void> {
    const [path = '/', fragment = ''] = at.split('#');
    await page.goto(`${this.origin}test/ui/fake/index.html?scene=${scene}&at=${encodeURIComponent(path)}${fragment && `#${fragment}`}`);
    await expect(page.locator('.entry, .settings')).toBeVisible();
    await expect(page.getByText(/^(Loading…|Asking the Hub…)$/)).toHaveCount(0);
  }

  stop(): Promise<void> {
    return this.server.close();
  }
}
