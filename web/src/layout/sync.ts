/**
 * Keeps one document the same here and at the Hub. What is edited here is pushed soon, and again until
 * the Hub has it; edits without a connection are kept with everything else and go with the next push.
 * The Hub keeps bytes: a log of updates, and a document that some page puts in its place when it has
 * become long. Knows no network and no clock: a `Port` has them.
 */

import * as Y from 'yjs';
import { Growing } from '../hub/retry';
import { type Answer, HubCopy, MOST_STRUCTS, structsIn } from './hub-copy';

export interface Question {
  /** Everything up to here is known. */
  after: bigint;
  /** Empty where the Hub is only asked. */
  update: Uint8Array;
  /** `update` is the whole document and takes the place of everything up to here. */
  replaces?: bigint;
}

/**
 * What an error means. `again`: the same may do later. `overtaken`: somebody said something meanwhile. `full`: the log
 * takes no more. `asking`: the Hub answers and takes no edits. `never`: it does neither.
 */
export type Meaning = 'again' | 'overtaken' | 'full' | 'asking' | 'never';
/** What a person has to know. `refused`: edits are not kept at the Hub. `large`: nor will they be. `skipped`: what somebody did cannot be read. */
export type Trouble = 'refused' | 'large' | 'skipped';

export interface SyncPort {
  exchange(question: Question): Promise<Answer>;
  meaning(error: unknown): Meaning;
  /** Whether the person may edit, as far as is known. */
  mayEdit(): boolean;
  after(milliseconds: number, run: () => void): () => void;
  now(): number;
  random(): number;
  /** Something came from elsewhere. */
  changed(): void;
  /** What has to outlive the page. */
  keep(state: Uint8Array): void;
  /** The first answer, or the certainty that there will be none. */
  settled(): void;
  tell(trouble: Trouble, error?: unknown): void;
}

interface Step extends Question {
  /** How many of the unsent edits go with it. */
  sends: number;
}

const PUSH_AFTER_MS = 200;
const KEEP_AFTER_MS = 500;
/** Somebody of all who hear of a long log sends the document; the first one spares the others the work. */
const COMPACT_AFTER_MS = 2_000;
const COMPACT_SPREAD_MS = 18_000;
/** Pages that were overtaken do not meet again. */
const OVERTAKEN_SPREAD_MS = 1_000;
const OVERTAKEN_MOST = 8;
export const UPDATE_MAX = 64 * 1024;
export const DOCUMENT_MAX = 512 * 1024;
const HUB = 'hub';
const NOTHING = new Uint8Array(0);

export class LayoutSync {
  readonly doc = new Y.Doc();
  readonly #copy = new HubCopy();
  /** The Hub has answered: what it lacks can be told. */
  #known = false;
  /** Edits that the Hub does not have, oldest first. */
  #unsent: Uint8Array[] = [];
  #asks = true;
  #compacts = false;
  /** The document is too large to be put in the log's place. */
  #large = false;
  /** Something was said that has to be read before the document can be sent. */
  #behind = false;
  #overtaken = 0;
  #mayEdit = true;
  #running = false;
  #over = false;
  #callOff: (() => void) | undefined;
  #callOffKeep: (() => void) | undefined;
  #callOffCompact: (() => void) | undefined;
  readonly #told = new Set<Trouble>();
  readonly #again = new Growing();

  constructor(private readonly port: SyncPort, kept?: Uint8Array) {
    if (kept) this.#apply([kept]);
    this.doc.on('update', (update: Uint8Array, origin: unknown) => this.#heed(update, origin));
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
    if (this.#pushes) this.#schedule(0);
  }

  /** A push that waits goes now, and nothing is heard any more. */
  close(): void {
    if (this.#over) return;
    for (const callOff of [this.#callOff, this.#callOffKeep, this.#callOffCompact]) callOff?.();
    this.#keep();
    if (this.#pushes && !this.#running) void this.port.exchange(this.#step()).catch(() => undefined);
    this.#over = true;
    this.doc.destroy();
  }

  get #pushes(): boolean {
    return this.#edits && (this.#unsent.length > 0 || this.#compacts);
  }

  get #edits(): boolean {
    return this.#known && this.#mayEdit && this.port.mayEdit();
  }

  #heed(update: Uint8Array, origin: unknown): void {
    this.#callOffKeep?.();
    this.#callOffKeep = this.port.after(KEEP_AFTER_MS, () => this.#keep());
    if (origin === HUB) return this.port.changed();
    this.#unsent.push(update);
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
    if (this.#over || this.#running || !(this.#asks || this.#pushes)) return;
    this.#running = true;
    this.#asks = false;
    const step = this.#step();
    try {
      const answer = await this.port.exchange(step);
      this.#running = false;
      if (!this.#over) this.#take(answer, step);
    } catch (error) {
      this.#running = false;
      if (!this.#over) this.#failed(error, step);
    }
  }

  #step(): Step {
    const after = this.#copy.sequence;
    return (!this.#behind && this.#pushes && this.#push()) || { after, update: NOTHING, sends: 0 };
  }

  /** As much as goes at once: edits that fit into one update, else the whole document. */
  #push(): Step | undefined {
    const whole = this.#compacts ? this.#whole() : undefined;
    if (whole || this.#unsent.length === 0) return whole;
    let [sends, bytes] = [0, 0];
    for (const update of this.#unsent) {
      if ((bytes += update.length) > UPDATE_MAX) break;
      sends++;
    }
    const update = sends > 0 ? Y.mergeUpdates(this.#unsent.slice(0, sends)) : NOTHING;
    if (sends > 0 && update.length <= UPDATE_MAX) return { after: this.#copy.sequence, update, sends };
    const instead = this.#whole();
    this.#mayEdit = instead !== undefined;
    return instead;
  }

  #whole(): Step | undefined {
    const [after, update, sends] = [this.#copy.sequence, Y.encodeStateAsUpdate(this.doc), this.#unsent.length];
    if (update.length <= DOCUMENT_MAX && structsIn(this.doc) <= MOST_STRUCTS) return { after, update, sends, replaces: after };
    this.#compacts = false;
    this.#large = true;
    this.#tell('large');
    return undefined;
  }

  #take(answer: Answer, { sends, replaces }: Step): void {
    this.#unsent.splice(0, sends);
    this.#behind = false;
    const { news, anew, skipped } = this.#copy.take(answer);
    const skippedHere = this.#apply(news);
    if (anew || !this.#known) this.#compare();
    if (skipped || skippedHere) this.#tell('skipped');
    if (replaces !== undefined) [this.#compacts, this.#overtaken] = [false, 0];
    this.#heedLength(answer.compact);
    this.port.settled();
    if (this.#asks || this.#pushes) this.#schedule(PUSH_AFTER_MS);
  }

  /** What is here and not at the Hub: from before, or because somebody put a document there that lacks it. */
  #compare(): void {
    this.#known = true;
    const lacks = this.#copy.lacks(this.doc);
    this.#unsent = lacks.length > 0 ? [lacks] : [];
  }

  /** All of it as one change; whether some could not be applied. */
  #apply(updates: Uint8Array[]): boolean {
    let skipped = false;
    this.doc.transact(() => {
      for (const update of updates) {
        try {
          Y.applyUpdate(this.doc, update, HUB);
        } catch {
          skipped = true;
        }
      }
    }, HUB);
    return skipped;
  }

  #heedLength(long: boolean): void {
    if (!long || this.#large || !this.#edits) {
      this.#callOffCompact?.();
      this.#callOffCompact = undefined;
      this.#compacts = false;
      return;
    }
    if (this.#compacts) return;
    this.#callOffCompact ??= this.port.after(COMPACT_AFTER_MS + this.port.random() * COMPACT_SPREAD_MS, () => {
      this.#callOffCompact = undefined;
      this.#compacts = true;
      this.#schedule(0);
    });
  }

  #failed(error: unknown, { sends }: Step): void {
    const meaning = this.port.meaning(error);
    this.#asks = meaning !== 'never';
    if (meaning === 'overtaken') return this.#lost(error, sends);
    if (meaning === 'full' && !this.#large) {
      this.#compacts = this.#behind = true;
      return this.#schedule(this.port.random() * OVERTAKEN_SPREAD_MS);
    }
    if (meaning !== 'again') {
      this.#mayEdit = false;
      if (sends > 0) this.#tell('refused', error);
    }
    if (meaning === 'never') return this.port.settled();
    this.#schedule(this.#again.next(this.port.now(), this.port.random()));
  }

  /** A document that lacks what came meanwhile: what came is read, and another one made. */
  #lost(error: unknown, sends: number): void {
    this.#behind = true;
    if (++this.#overtaken < OVERTAKEN_MOST) return this.#schedule(this.port.random() * OVERTAKEN_SPREAD_MS);
    this.#compacts = false;
    if (sends > 0) this.#tell('refused', error);
    this.#schedule(this.#again.next(this.port.now(), this.port.random()));
  }

  #tell(trouble: Trouble, error?: unknown): void {
    if (this.#told.has(trouble)) return;
    this.#told.add(trouble);
    this.port.tell(trouble, error);
  }
}
