import fc from 'fast-check';
import * as Y from 'yjs';
import { describe, expect, it } from 'vitest';
import type { Answer } from '../../src/layout/hub-copy';
import { DOCUMENT_MAX, LayoutSync, type Meaning, type Question, type SyncPort, UPDATE_MAX } from '../../src/layout/sync';

const LONG = 64;

/** A Hub that keeps bytes, and can be away. */
class FakeHub {
  base = new Uint8Array(0);
  baseSequence = 0;
  log: Uint8Array[] = [];
  away = false;
  full = false;
  refuses: Meaning | undefined;
  exchanges = 0;
  compactions = 0;
  bytes = 0;
  /** Runs between a question and what is done with it. */
  meanwhile: (() => void) | undefined;

  async exchange({ after, update, replaces }: Question): Promise<Answer> {
    this.exchanges += 1;
    this.bytes += update.length;
    const meanwhile = this.meanwhile;
    this.meanwhile = undefined;
    meanwhile?.();
    if (this.away) throw new Error('again');
    if (this.refuses && (this.refuses === 'never' || update.length > 0)) throw new Error(this.refuses);
    if (replaces !== undefined) this.#replace(Number(replaces), update);
    else if (update.length > 0) this.append(update);
    return this.#answer(Number(after));
  }

  get sequence(): number {
    return this.baseSequence + this.log.length;
  }

  append(update: Uint8Array): void {
    if (this.full) throw new Error('full');
    expect(update.length).toBeLessThanOrEqual(UPDATE_MAX);
    this.log.push(update);
  }

  /** What a page would make of it. */
  get doc(): Y.Doc {
    const doc = new Y.Doc();
    for (const update of [this.base, ...this.log]) if (update.length > 0) Y.applyUpdate(doc, update);
    return doc;
  }
  get all(): Record<string, unknown> {
    return this.doc.getMap('m').toJSON();
  }

  /** Somebody else's page. */
  set(key: string, value: unknown): void {
    const doc = this.doc;
    const before = Y.encodeStateVector(doc);
    doc.getMap('m').set(key, value);
    this.append(Y.encodeStateAsUpdate(doc, before));
  }

  #replace(replaces: number, document: Uint8Array): void {
    expect(document.length).toBeLessThanOrEqual(DOCUMENT_MAX);
    if (replaces !== this.sequence) throw new Error('overtaken');
    [this.baseSequence, this.base, this.log, this.full] = [this.sequence + 1, document as Uint8Array<ArrayBuffer>, [], false];
    this.compactions += 1;
  }

  #answer(after: number): Answer {
    const from = after > this.sequence ? 0 : after;
    return {
      base: from < this.baseSequence ? this.base : new Uint8Array(0),
      updates: this.log.slice(Math.max(0, from - this.baseSequence)),
      sequence: BigInt(this.sequence),
      compact: this.log.length >= LONG || this.full,
    };
  }
}

class Page {
  kept: Uint8Array | undefined;
  heard = 0;
  settled = 0;
  mayEdit = true;
  told: string[] = [];
  #timers: { at: number; run: () => void }[] = [];
  #now = 0;
  readonly sync: LayoutSync;

  constructor(hub: FakeHub, kept?: Uint8Array, random = () => 0.5) {
    const port: SyncPort = {
      exchange: (question) => hub.exchange(question),
      meaning: (error) => {
        expect(['again', 'overtaken', 'full', 'asking', 'never']).toContain((error as Error).message);
        return (error as Error).message as Meaning;
      },
      mayEdit: () => this.mayEdit,
      after: (milliseconds, run) => {
        const timer = { at: this.#now + milliseconds, run };
        this.#timers.push(timer);
        return () => { this.#timers = this.#timers.filter((one) => one !== timer); };
      },
      now: () => this.#now,
      random,
      changed: () => { this.heard += 1; },
      keep: (state) => { this.kept = state; },
      settled: () => { this.settled += 1; },
      tell: (trouble) => { this.told.push(trouble); },
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
    expect(hub.all).toEqual({ a: 1 });
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
      await one.pass(30_000);
      one.sync.close();
    }
    expect(Y.encodeStateAsUpdate(hub.doc).length).toBeGreaterThan(1.5 * UPDATE_MAX);
    expect(hub.log.length).toBeLessThan(LONG);
    const [fresh, other] = [new Page(hub), new Page(hub)];
    await fresh.pass(1_000);
    const again = new Page(hub, fresh.kept);
    for (const page of [again, other]) await page.pass(1_000);
    hub.bytes = 0;
    again.set('new', 1);
    other.set('newer', 2);
    for (const page of [again, other]) await page.pass(1_000);
    expect(hub.all).toEqual({ new: 1, newer: 2 });
    expect([again.told, other.told]).toEqual([[], []]);
    expect(hub.bytes).toBeLessThan(500);
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
    hub.set('theirs', 2);
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
      for (const page of pages) expect(page.all).toEqual(hub.all);
    }), { numRuns: 60 });
  });

  it('sends a document that does not fit into one update as a whole, the first thing that is said too', async () => {
    for (const before of [0, 1]) {
      const hub = new FakeHub();
      if (before) hub.set('theirs', 1);
      const one = new Page(hub);
      one.set('long', 'x'.repeat(100_000));
      await one.pass(10_000);
      expect(hub.compactions).toBe(1);
      expect(hub.all).toEqual(one.all);
      expect(Object.keys(one.all).length).toBe(1 + before);
      one.set('short', 1);
      await one.pass(1_000);
      expect([hub.log.length, one.told]).toEqual([1, []]);
    }
  });

  it('sends many edits in pieces that fit, and all of them', async () => {
    const hub = new FakeHub();
    const one = new Page(hub);
    await one.pass(1_000);
    for (let at = 0; at < 5; at++) one.set(`k${at}`, 'x'.repeat(30_000));
    await one.pass(5_000);
    expect(hub.all).toEqual(one.all);
    expect([hub.log.length, hub.compactions]).toEqual([3, 0]);
  });

  it('that is too large to be kept is told once, and kept here', async () => {
    const hub = new FakeHub();
    const one = new Page(hub);
    one.set('long', 'x'.repeat(DOCUMENT_MAX));
    await one.pass(60_000);
    one.set('more', 1);
    await one.pass(60_000);
    expect(one.told).toEqual(['large']);
    expect(hub.sequence).toBe(0);
    expect(Object.keys(new Page(hub, one.kept).all)).toEqual(['long', 'more']);
  });

  it('is put in the place of a log that has become long, by one of several pages', async () => {
    const hub = new FakeHub();
    const randoms = [0.9, 0.1, 0.6];
    const pages = randoms.map((random) => new Page(hub, undefined, () => random));
    for (let at = 0; at < LONG; at++) hub.set(`k${at}`, at);
    const all = hub.all;
    for (let second = 0; second < 30; second++) {
      for (const page of pages) {
        page.sync.pull();
        await page.pass(1_000);
      }
    }
    expect([hub.compactions, hub.log.length]).toEqual([1, 0]);
    expect(hub.all).toEqual(all);
    for (const page of pages) expect(page.all).toEqual(all);
  });

  it('that was overtaken by an append is read and put together again', async () => {
    const hub = new FakeHub();
    for (let at = 0; at < LONG; at++) hub.set(`k${at}`, at);
    const one = new Page(hub);
    await one.pass(1_000);
    let lost = 0;
    hub.meanwhile = () => {
      hub.set('meanwhile', ++lost);
      hub.meanwhile = undefined;
    };
    await one.pass(60_000);
    expect([lost, hub.compactions]).toEqual([1, 1]);
    expect(hub.all).toMatchObject({ k0: 0, meanwhile: 1 });
    expect(one.all).toEqual(hub.all);
  });

  it('that is always overtaken is not tried without end, and the person is told that edits wait', async () => {
    const hub = new FakeHub();
    const one = new Page(hub);
    await one.pass(1_000);
    const exchange = hub.exchange.bind(hub);
    hub.exchange = (question) => (question.replaces === undefined ? exchange(question) : Promise.reject(new Error('overtaken')));
    one.set('long', 'x'.repeat(100_000));
    await one.pass(600_000);
    expect(hub.exchanges).toBeLessThan(150);
    expect(one.told).toEqual(['refused']);
    hub.exchange = exchange;
    await one.pass(60_000);
    expect(hub.all).toEqual(one.all);
  });

  it('goes into a full log as a whole document', async () => {
    const hub = new FakeHub();
    hub.set('theirs', 1);
    hub.full = true;
    const one = new Page(hub);
    one.set('mine', 2);
    await one.pass(10_000);
    expect(hub.all).toEqual({ theirs: 1, mine: 2 });
    expect([hub.compactions, one.told]).toEqual([1, []]);
  });

  it('is put together without what cannot be read, and the person hears of it once', async () => {
    const nested = (depth: number) => Array.from({ length: depth }).reduce<unknown>((inner) => [inner], 1);
    const typed = new Y.Doc();
    typed.getMap<unknown>('m').set('inside', new Y.Map([['a', 1]]));
    const listed = new Y.Doc();
    listed.getArray('l').insert(0, [1]);
    const later = new Y.Doc();
    later.getMap('m').set('before', 1);
    const before = Y.encodeStateVector(later);
    later.getMap('m').set('gap', 1);
    const deep = new Y.Doc();
    deep.getMap<unknown>('m').set('deep', nested(2_000));
    const bad = [
      new TextEncoder().encode('nonsense'),
      new Uint8Array([1, 0xff, 0xff, 0xff, 0x7f, 1, 0]),
      new Uint8Array([1, 1, 1, 0, 4, 1, 1, 97, 1, 98, 0]),
      new Uint8Array([2, 1, 5, 0, 8, 1, 1, 109, 1, 125, 1, 1, 5]),
      Y.encodeStateAsUpdate(typed),
      Y.encodeStateAsUpdate(listed),
      Y.encodeStateAsUpdate(later, before),
      Y.encodeStateAsUpdate(deep),
    ];
    const hub = new FakeHub();
    hub.set('first', 1);
    const [good] = hub.log.splice(0);
    bad.forEach((update, at) => hub.log.push(update, ...(at === 2 ? [good!] : [])));
    const one = new Page(hub);
    await one.pass(1_000);
    expect(one.all).toEqual({ first: 1 });
    hub.log.push(bad[0]!);
    one.sync.pull();
    one.set('mine', 2);
    await one.pass(1_000);
    expect(one.told).toEqual(['skipped']);
    expect(new Page(hub, one.kept).all).toEqual({ first: 1, mine: 2 });
    hub.full = true;
    one.set('more', 3);
    await one.pass(10_000);
    expect(hub.all).toEqual({ first: 1, mine: 2, more: 3 });
  });

  it('is not worked on for long, whatever somebody puts there', async () => {
    // Everything at one place, each unknown to the others, and in the order that takes longest.
    const crowd = Array.from({ length: 8_000 }, (_, at) => {
      const doc = new Y.Doc();
      doc.clientID = at + 1;
      doc.getMap('m').set('first', at);
      return Y.encodeStateAsUpdate(doc);
    });
    const hub = new FakeHub();
    hub.set('mine', 1);
    for (let at = 0; at < crowd.length; at += 8) hub.log.push(Y.mergeUpdates(crowd.slice(at, at + 8)));
    const one = new Page(hub);
    const begun = performance.now();
    await one.pass(1_000);
    expect(performance.now() - begun).toBeLessThan(15_000);
    expect(one.told).toEqual(['skipped']);
    one.set('more', 2);
    await one.pass(1_000);
    expect(one.all).toMatchObject({ mine: 1, more: 2 });
  }, 60_000);

  it('that another page began anew is taken over with what is here', async () => {
    const hub = new FakeHub();
    hub.set('theirs', 1);
    const one = new Page(hub);
    one.set('mine', 2);
    await one.pass(1_000);
    const other = new Y.Doc();
    other.getMap('m').set('other', 3);
    [hub.base, hub.baseSequence, hub.log] = [Y.encodeStateAsUpdate(other) as Uint8Array<ArrayBuffer>, hub.sequence + 1, []];
    one.sync.pull();
    await one.pass(1_000);
    expect(one.all).toEqual({ theirs: 1, mine: 2, other: 3 });
    expect(hub.all).toEqual(one.all);
  });

  it('of a Hub that came back from a backup gets what it lacks', async () => {
    const hub = new FakeHub();
    const one = new Page(hub);
    for (const key of ['a', 'b', 'c']) {
      one.set(key, key);
      await one.pass(1_000);
    }
    hub.log.splice(1);
    hub.set('d', 'd');
    one.sync.pull();
    await one.pass(1_000);
    expect(one.all).toEqual({ a: 'a', b: 'b', c: 'c', d: 'd' });
    expect(hub.all).toEqual(one.all);
  });

  it('of somebody who becomes an editor is pushed then', async () => {
    const hub = new FakeHub();
    const one = new Page(hub);
    one.mayEdit = false;
    one.set('mine', 1);
    await one.pass(10_000);
    expect(hub.sequence).toBe(0);
    one.mayEdit = true;
    one.sync.pull();
    await one.pass(1_000);
    expect(hub.all).toEqual({ mine: 1 });
    expect(one.told).toEqual([]);
  });
});
