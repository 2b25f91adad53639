/**
 * Listens at the page's side of the channel thread: what the terminals' streams brought, byte for byte
 * and before anything is drawn, and each state that a channel went through.
 */

import type { Page } from '@playwright/test';

export interface Heard {
  /** Terminal streams that were opened, and the errors that they ended with. */
  attached: number;
  ends: number[];
  snapshots: number;
  bytes: number;
  /** Lines `n1`, `n2` and so on: the next that is due, and what came instead of one that was due. */
  next: number;
  faults: string[];
  states: string[];
}

interface FromThread { kind: string; id: number; data: Uint8Array; error?: { code: number }; status: { state: string } }
interface ToThread { kind: string; id: number; method: string }

/** Before the page is opened. */
export async function listenIn(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const heard: Heard = { attached: 0, ends: [], snapshots: 0, bytes: 0, next: 1, faults: [], states: [] };
    const terminals = new Set<number>();
    const decoder = new TextDecoder();
    let partial = '';
    const varint = (from: Uint8Array, at: number): [number, number] => {
      let [value, scale] = [0, 1];
      for (;;) {
        const byte = from[at++] ?? 0;
        value += (byte & 127) * scale;
        if (byte < 128) return [value, at];
        scale *= 128;
      }
    };
    /** The first field of that number that has a length. */
    const field = (from: Uint8Array, wanted: number): Uint8Array | undefined => {
      for (let at = 0; at < from.length;) {
        const [tag, body] = varint(from, at);
        const [length, start] = varint(from, body);
        if (tag % 8 === 0) at = start;
        else if (tag >> 3 === wanted) return from.subarray(start, start + length);
        else at = start + length;
      }
      return undefined;
    };
    const count = (line: string) => {
      const number = /^n(\d+)\b/.exec(line)?.[1];
      if (number === undefined) return;
      if (Number(number) !== heard.next && heard.faults.length < 20) heard.faults.push(`${heard.next}: ${line}`);
      heard.next = Number(number) + 1;
    };
    const take = (event: Uint8Array) => {
      const [tag] = varint(event, 0);
      if (tag >> 3 === 1) heard.snapshots += 1;
      const output = tag >> 3 === 2 ? field(event, 2) : undefined;
      const data = output && field(output, 2);
      if (!data) return;
      heard.bytes += data.length;
      const lines = (partial + decoder.decode(data, { stream: true })).split('\n');
      partial = lines.pop() ?? '';
      lines.forEach(count);
    };
    globalThis.Worker = class extends Worker {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(url, options);
        this.addEventListener('message', ({ data: message }: MessageEvent<FromThread>) => {
          if (message.kind === 'status' && heard.states.at(-1) !== message.status.state) heard.states.push(message.status.state);
          if (!terminals.has(message.id)) return;
          if (message.kind === 'stream-data') take(message.data);
          if (message.kind === 'stream-end') heard.ends.push(message.error?.code ?? 0);
        });
      }

      override postMessage(message: ToThread, transfer: Transferable[] | StructuredSerializeOptions = []): void {
        if (message.kind === 'stream' && message.method === 'terminal.attach') {
          terminals.add(message.id);
          heard.attached += 1;
        }
        super.postMessage(message, transfer as Transferable[]);
      }
    };
    Object.assign(globalThis, { heard });
  });
}

export function heard(page: Page): Promise<Heard> {
  return page.evaluate(() => (globalThis as unknown as { heard: Heard }).heard);
}

/** The clock of the channel thread that nobody sets, moved forward all the same. */
export async function age(page: Page, milliseconds: number): Promise<void> {
  await page.workers()[0]!.evaluate((by) => {
    const real = performance.now.bind(performance);
    performance.now = () => real() + by;
  }, milliseconds);
}

/** The machine's clock, as page and thread see it. */
export async function setClock(page: Page, by: number): Promise<void> {
  const set = (milliseconds: number) => {
    const real = Date.now.bind(Date);
    Date.now = () => real() + milliseconds;
  };
  await page.evaluate(set, by);
  await page.workers()[0]!.evaluate(set, by);
}

/** What a browser says when the network is back, so that no back-off is waited for. */
export async function sayOnline(page: Page): Promise<void> {
  await page.workers()[0]!.evaluate(() => void self.dispatchEvent(new Event('online')));
}
