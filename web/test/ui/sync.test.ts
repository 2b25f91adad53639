import fc from 'fast-check';
import * as Y from 'yjs';
import { describe, expect, it } from 'vitest';
import { LayoutSync, type Exchanged, type SyncPort } from '../../src/layout/sync';

/** A Hub that merges, and can be away. */
class FakeHub {
  readonly doc = new Y.Doc();
  away = false;
  refuses: string | undefined;
  exchanges = 0;
  bytes = 0;
  /** As the Hub's. */
  longest = 64 * 1024;
  async exchange(stateVector: Uint8Array, update: Uint8Array): Promise<Exchanged> {
    this.exchanges += 1;
    this.bytes += update.length;
    if (this.away) throw new Error('unreachable');
    if (this.refuses && (this.refuses === 'never' || update.length > 0)) throw new Error(this.refuses);
    if (update.length > this.longest) throw new Error('this');
    if (update.length > 0) Y.applyUpdate(this.doc, update);
    return { update: Y.encodeStateAsUpdate(this.doc, stateVector), stateVector: Y.encodeStateVector(this.doc) };
  }
}

class Page {
  kept: Uint8Array | undefined;
  heard = 0;
  settled = 0;
  refused = 0;
  #timers: { at: number; run: () => void }[] = [];
  #now = 0;
  readonly sync: LayoutSync;

  constructor(hub: FakeHub, kept?: Uint8Array) {
    const port: SyncPort = {
      exchange: (vector, update) => hub.exchange(vector, update),
      meaning: (error) => (['never', 'asking', 'this'].includes((error as Error).message) ? (error as Error).message as 'never' : 'again'),
      after: (milliseconds, run) => {
        const timer = { at: this.#now + milliseconds, run };
        this.#timers.push(timer);
        return () => { this.#timers = this.#timers.filter((one) => one !== timer); };
      },
      now: () => this.#now,
      random: () => 0.5,
      changed: () => { this.heard += 1; },
      keep: (state) => { this.kept = state; },
      refused: () => { this.refused += 1; },
      settled: () => { this.settled += 1; },
    };
    this.sync = new LayoutSync(port, kept);
    this.sync.pull();
  }

  set(key: string, value: unknown): void {
    this.sync.doc.getMap('m').set(key, value);
  }
  get all(): Record<string, unknown> {
    return this.sync.doc.getMap('m').toJSON();
  }
  async pass(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
      for (let turn = 0; turn < 8; turn++) await Promise.resolve();
    }
    this.#now = end;
  }
}

describe('a layout that is kept at the Hub', () => {
  it('is pushed once for edits that come together, and heard elsewhere', async () => {
    const hub = new FakeHub();
    const [one, two] = [new Page(hub), new Page(hub)];
    await Promise.all([one.pass(1_000), two.pass(1_000)]);
    const before = hub.exchanges;
    for (let at = 0; at < 5; at++) {
      one.set(`k${at}`, at);
      await one.pass(50);
    }
    await one.pass(1_000);
    expect(hub.exchanges - before).toBe(1);
    two.sync.pull();
    await two.pass(10);
    expect(two.all).toEqual(one.all);
    expect(two.heard).toBe(1);
    expect(one.heard).toBe(0);
  });

  it('keeps what is edited without a connection, over a reload too, and pushes it when there is one', async () => {
    const hub = new FakeHub();
    const one = new Page(hub);
    await one.pass(1_000);
    hub.away = true;
    one.set('a', 1);
    await one.pass(60_000);
    expect(hub.exchanges).toBeLessThan(12);
    const reloaded = new Page(hub, one.kept);
    expect(reloaded.all).toEqual({ a: 1 });
    await reloaded.pass(1_000);
    hub.away = false;
    await reloaded.pass(120_000);
    expect(hub.doc.getMap('m').toJSON()).toEqual({ a: 1 });
  });

  it('sends only what is new', async () => {
    const hub = new FakeHub();
    const one = new Page(hub);
    await one.pass(1_000);
    one.set('long', 'x'.repeat(20_000));
    await one.pass(1_000);
    const before = hub.bytes;
    one.set('short', 1);
    await one.pass(1_000);
    expect(hub.bytes - before).toBeLessThan(200);
  });

  it('that has grown longer than an update may be is edited all the same, in a page that has just been opened', async () => {
    const hub = new FakeHub();
    for (let page = 0; page < 40; page++) {
      const one = new Page(hub);
      await one.pass(1_000);
      for (let tab = 0; tab < 50; tab++) {
        one.set(`a-worker-with-a-long-identifier/terminal-${page}-${tab}`, { tile: 'root', at: tab });
        await one.pass(300);
        one.sync.doc.getMap('m').delete(`a-worker-with-a-long-identifier/terminal-${page}-${tab}`);
      }
      await one.pass(1_000);
      one.sync.close();
    }
    expect(Y.encodeStateAsUpdate(hub.doc).length).toBeGreaterThan(1.5 * hub.longest);
    const [fresh, other] = [new Page(hub), new Page(hub)];
    await fresh.pass(1_000);
    const again = new Page(hub, fresh.kept);
    for (const page of [again, other]) await page.pass(1_000);
    hub.bytes = 0;
    again.set('new', 1);
    other.set('newer', 2);
    for (const page of [again, other]) await page.pass(1_000);
    expect(hub.doc.getMap('m').toJSON()).toEqual({ new: 1, newer: 2 });
    expect(again.refused + other.refused).toBe(0);
    expect(hub.bytes).toBeLessThan(8_000);
  });

  it('is pushed as a whole to a Hub that says nonsense of what it has', async () => {
    const hub = new FakeHub();
    const exchange = hub.exchange.bind(hub);
    hub.exchange = async (vector, update) => ({ ...(await exchange(vector, update)), stateVector: Uint8Array.of(255, 255, 255) });
    const one = new Page(hub);
    await one.pass(1_000);
    one.set('a', 1);
    await one.pass(1_000);
    one.set('b', 2);
    one.sync.close();
    await one.pass(1_000);
    expect(hub.doc.getMap('m').toJSON()).toEqual({ a: 1, b: 2 });
  });

  it('that the Hub refuses for good says so once, stays here, and is still asked for', async () => {
    const hub = new FakeHub();
    const one = new Page(hub);
    await one.pass(1_000);
    one.set('much', 'x'.repeat(70_000));
    await one.pass(60_000);
    expect(one.refused).toBe(1);
    const before = hub.exchanges;
    one.set('more', 1);
    await one.pass(60_000);
    expect(hub.exchanges).toBe(before);
    hub.doc.getMap('m').set('theirs', 2);
    one.sync.pull();
    await one.pass(1_000);
    expect(one.all).toMatchObject({ more: 1, theirs: 2 });
    expect(one.refused).toBe(1);
  });

  it('of somebody who may only look is asked for and never pushed again', async () => {
    const hub = new FakeHub();
    hub.refuses = 'asking';
    const one = new Page(hub);
    await one.pass(1_000);
    one.set('a', 1);
    await one.pass(60_000);
    expect(one.settled).toBeGreaterThan(0);
    const before = hub.exchanges;
    await one.pass(600_000);
    expect(hub.exchanges).toBe(before);
    hub.doc.getMap('m').set('theirs', 2);
    one.sync.pull();
    await one.pass(1_000);
    expect(hub.exchanges).toBe(before + 1);
    expect(one.all).toEqual({ a: 1, theirs: 2 });
  });

  it('of a Hub that has none stays here', async () => {
    const hub = new FakeHub();
    hub.refuses = 'never';
    const one = new Page(hub);
    one.set('a', 1);
    await one.pass(600_000);
    expect(hub.exchanges).toBe(1);
    expect(one.settled).toBe(1);
    expect(one.kept).toBeDefined();
  });

  it('is the same everywhere in the end, whatever happens to the connection', async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.tuple(fc.nat(3), fc.nat(2), fc.nat(9)), { maxLength: 30 }), async (steps) => {
      const hub = new FakeHub();
      const pages = [new Page(hub), new Page(hub), new Page(hub)];
      for (const [what, who, key] of steps) {
        const page = pages[who]!;
        if (what === 0) page.set(`k${key}`, Math.random());
        else if (what === 1) page.sync.doc.getMap('m').delete(`k${key}`);
        else if (what === 2) hub.away = !hub.away;
        else await page.pass(key * 100);
      }
      hub.away = false;
      for (const page of pages) await page.pass(200_000);
      for (const page of pages) {
        page.sync.pull();
        await page.pass(1_000);
      }
      for (const page of pages) expect(page.all).toEqual(hub.doc.getMap('m').toJSON());
    }), { numRuns: 60 });
  });
});
