/** Types into a terminal by way of the page's own channel thread, past the page that would not. */

import type { Page } from '@playwright/test';

interface Attach { kind: string; id: number; workerId: string; method: string; payload: Uint8Array; workspaceId: string }
interface FromThread { kind: string; id: number; error?: { code: number } }
interface Held { thread?: Worker; attach?: Attach }

const ID = 1_000_000;

/** Before the page is opened: remembers how the page attached last. */
export async function holdThread(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const held: Held = {};
    globalThis.Worker = class extends Worker {
      override postMessage(message: Attach, transfer: Transferable[] | StructuredSerializeOptions = []): void {
        if (message.kind === 'stream' && message.method === 'terminal.attach') {
          Object.assign(held, { thread: this, attach: { ...message, payload: message.payload.slice() } });
        }
        super.postMessage(message, transfer as Transferable[]);
      }
    };
    Object.assign(globalThis, { held });
  });
}

/** Attaches as the page did and sends keys; the code of the error with which the Worker ends that stream. */
export function typeAnyway(page: Page, text: string): Promise<number> {
  return page.evaluate(([id, keys]) => new Promise<number>((done, fail) => {
    const { thread, attach } = (globalThis as unknown as { held: Held }).held;
    if (!thread || !attach) return fail(new Error('the page has attached to nothing'));
    thread.addEventListener('message', ({ data }: MessageEvent<FromThread>) => {
      if (data.id === id && data.kind === 'stream-end') done(data.error?.code ?? 0);
    });
    // TerminalInput { data = 1 }
    const bytes = new TextEncoder().encode(keys);
    const input = Uint8Array.of(0x0a, bytes.length, ...bytes);
    thread.postMessage({ ...attach, id, payload: attach.payload.slice() });
    thread.postMessage({ kind: 'stream-send', id, data: input });
  }), [ID, text] as const);
}
