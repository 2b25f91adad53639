/**
 * Keeps one document the same here and at the Hub. What is edited here is pushed soon, and again until
 * the Hub has it; edits without a connection are kept with everything else and go with the next push.
 * The Hub is asked what it has before anything is pushed: a document remembers all that was ever deleted
 * in it, and as a whole soon outgrows what a push may be. Knows no network and no clock: a `Port` has them.
 */

import * as Y from 'yjs';
import { Growing } from '../hub/retry';

export interface SyncPort {
  /** `update` is empty where the Hub is only asked. */
  exchange(stateVector: Uint8Array, update: Uint8Array): Promise<Exchanged>;
  /** `never`: another attempt would be refused as well. `asking`: only edits are. `this`: only this edit is, for good. */
  meaning(error: unknown): 'again' | 'asking' | 'this' | 'never';
  after(milliseconds: number, run: () => void): () => void;
  now(): number;
  random(): number;
  /** Something came from elsewhere. */
  changed(): void;
  /** What has to outlive the page. */
  keep(state: Uint8Array): void;
  /** What was edited here the Hub will not take; it stays here. */
  refused(): void;
  /** The first answer, or the certainty that there will be none. */
  settled(): void;
}

export interface Exchanged {
  /** What the state vector lacks. */
  update: Uint8Array;
  /** Of the Hub's document. */
  stateVector: Uint8Array;
}

const PUSH_AFTER_MS = 200;
const KEEP_AFTER_MS = 500;
const HUB = 'hub';
const NOTHING = new Uint8Array(0);

export class LayoutSync {
  readonly doc = new Y.Doc();
  /** What the Hub has said that it has; nothing is pushed before. */
  #hubs: Uint8Array | undefined;
  #dirty: boolean;
  #asks = true;
  #mayEdit = true;
  #running = false;
  #over = false;
  #callOff: (() => void) | undefined;
  #callOffKeep: (() => void) | undefined;
  readonly #again = new Growing();

  constructor(private readonly port: SyncPort, kept?: Uint8Array) {
    if (kept) tryApply(this.doc, kept);
    // What an earlier page could not push any more.
    this.#dirty = kept !== undefined;
    this.doc.on('update', (_update: Uint8Array, origin: unknown) => this.#heed(origin));
  }

  /** The Hub has something new, or may have. */
  pull(): void {
    this.#asks = true;
    this.#schedule(0);
  }

  /** The page may go: a push that waits goes now. */
  flush(): void {
    if (this.#over) return;
    this.#keep();
    if (this.#dirty) this.#schedule(0);
  }

  /** A push that waits goes now, and nothing is heard any more. */
  close(): void {
    if (this.#over) return;
    this.#callOff?.();
    this.#callOffKeep?.();
    this.#keep();
    const waits = this.#dirty && this.#mayEdit && !this.#running && this.#hubs !== undefined;
    if (waits) void this.port.exchange(Y.encodeStateVector(this.doc), this.#news()).catch(() => undefined);
    this.#over = true;
    this.doc.destroy();
  }

  #heed(origin: unknown): void {
    this.#callOffKeep?.();
    this.#callOffKeep = this.port.after(KEEP_AFTER_MS, () => this.#keep());
    if (origin === HUB) return this.port.changed();
    this.#dirty = true;
    this.#schedule(PUSH_AFTER_MS);
  }

  #keep(): void {
    if (!this.#over) this.port.keep(Y.encodeStateAsUpdate(this.doc));
  }

  #schedule(milliseconds: number): void {
    if (this.#over || this.#running) return;
    this.#callOff?.();
    this.#callOff = this.port.after(milliseconds, () => void this.#run());
  }

  async #run(): Promise<void> {
    const wishes = this.#dirty && this.#mayEdit;
    if (this.#over || this.#running || !(this.#asks || wishes)) return;
    const pushes = wishes && this.#hubs !== undefined;
    this.#running = true;
    [this.#dirty, this.#asks] = [this.#dirty && !pushes, false];
    try {
      const { update, stateVector } = await this.port.exchange(Y.encodeStateVector(this.doc), pushes ? this.#news() : NOTHING);
      this.#running = false;
      if (this.#over) return;
      tryApply(this.doc, update);
      this.#hubs = stateVector;
      this.port.settled();
      if (this.#asks || (this.#dirty && this.#mayEdit)) this.#schedule(PUSH_AFTER_MS);
    } catch (error) {
      this.#running = false;
      this.#failed(error, pushes);
    }
  }

  #failed(error: unknown, pushed: boolean): void {
    if (this.#over) return;
    const meaning = this.port.meaning(error);
    this.#dirty ||= pushed;
    if (meaning === 'never' || (meaning === 'this' && !pushed)) {
      [this.#asks, this.#mayEdit] = [false, false];
      return this.port.settled();
    }
    this.#asks = true;
    if (meaning !== 'again') this.#mayEdit = false;
    if (meaning === 'this') this.port.refused();
    this.#schedule(this.#again.next(this.port.now(), this.port.random()));
  }

  /** What the Hub lacks; all there is, where it says nothing that can be read. */
  #news(): Uint8Array {
    try {
      return Y.encodeStateAsUpdate(this.doc, this.#hubs?.length ? this.#hubs : undefined);
    } catch {
      return Y.encodeStateAsUpdate(this.doc);
    }
  }
}

/** An update that cannot be read changes nothing. */
function tryApply(doc: Y.Doc, update: Uint8Array): void {
  if (update.length === 0) return;
  try {
    Y.applyUpdate(doc, update, HUB);
  } catch {
    // The next answer is asked for from what is here.
  }
}
