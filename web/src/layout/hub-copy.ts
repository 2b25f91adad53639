/**
 * What the Hub has sent of a layout, and nothing else: so what the Hub lacks can be told. The Hub reads no
 * layout, so whoever may edit can make it send anything; what is no update of a layout, or would keep the
 * page at work for long, is left out here.
 */

import * as Y from 'yjs';
import { isOfLayout, placeOf } from './structs';

export interface Answer {
  /** The whole document up to some sequence; empty: what is known goes on. */
  base: Uint8Array;
  updates: Uint8Array[];
  sequence: bigint;
  /** The log has become long. */
  compact: boolean;
}

export const MOST_STRUCTS = 8_192;
/** Each struct that shares its place with another may be compared with all: 0.7 µs each. */
const MOST_COMPARED = 4_000_000;
/** To begin again is work as well. */
const MOST_BEGUN = 8;
const NOTHING = new Uint8Array(0);

export class HubCopy {
  #doc = new Y.Doc();
  #admitted: Uint8Array[] = [];
  /** Places that are taken, and how many structs found theirs so. */
  #places = new Set<string>();
  #sharing = 0;
  #begun = 0;
  #sequence = 0n;

  /** Up to which everything is here. */
  get sequence(): bigint {
    return this.#sequence;
  }

  /** Takes an answer: what of it can be used, in order, and whether it begins from nothing. */
  take(answer: Answer): { news: Uint8Array[]; anew: boolean; skipped: boolean } {
    const anew = answer.base.length > 0 || answer.sequence < this.#sequence;
    if (anew) {
      this.#begin([]);
      this.#begun = 0;
    }
    this.#sequence = answer.sequence;
    const sent = [answer.base, ...answer.updates].filter((update) => update.length > 0);
    const news = sent.filter((update) => this.#admits(update));
    return { news, anew, skipped: news.length < sent.length };
  }

  /** What of a document the Hub does not have; empty where it has all of it. */
  lacks(doc: Y.Doc): Uint8Array {
    if (Y.equalSnapshots(Y.snapshot(doc), Y.snapshot(this.#doc))) return NOTHING;
    return Y.encodeStateAsUpdate(doc, Y.encodeStateVector(this.#doc));
  }

  #admits(update: Uint8Array): boolean {
    if (this.#begun > MOST_BEGUN || !this.#isSound(update)) return false;
    if (this.#apply(update)) return true;
    // It may have been taken in by half.
    this.#begun++;
    this.#begin(this.#admitted);
    return false;
  }

  /** Made of what a layout is made of, all of it behind what is here, and not too much. */
  #isSound(update: Uint8Array): boolean {
    try {
      const { structs } = Y.decodeUpdate(update);
      const known = this.#until(structs);
      const sharing = this.#sharing + structs.filter((struct) => this.#places.has(placeOf(struct))).length + doubled(structs);
      const total = structsIn(this.#doc) + structs.length;
      return known !== undefined && structs.every((struct) => isOfLayout(struct, known))
        && total <= MOST_STRUCTS && sharing * total <= MOST_COMPARED;
    } catch {
      return false;
    }
  }

  /** Up to where each client will be known; nothing where there is a gap. */
  #until(structs: Y.AbstractStruct[]): ((client: number) => number) | undefined {
    const ends = new Map<number, number>();
    const known = (client: number) => ends.get(client) ?? Y.getState(this.#doc.store, client);
    for (const { id, length } of structs) {
      if (id.clock > known(id.client)) return undefined;
      ends.set(id.client, Math.max(known(id.client), id.clock + length));
    }
    return known;
  }

  #apply(update: Uint8Array): boolean {
    try {
      const { structs } = Y.decodeUpdate(update);
      const fresh = structs.filter(({ id }) => id.clock >= Y.getState(this.#doc.store, id.client)).map(placeOf).filter((place) => place !== '');
      Y.applyUpdate(this.#doc, update);
      const { pendingStructs, pendingDs } = this.#doc.store;
      if (pendingStructs || pendingDs) return false;
      for (const place of fresh) {
        if (this.#places.has(place)) this.#sharing++;
        this.#places.add(place);
      }
      this.#admitted.push(update);
      return true;
    } catch {
      return false;
    }
  }

  #begin(updates: Uint8Array[]): void {
    this.#doc.destroy();
    this.#doc = new Y.Doc();
    this.#places = new Set();
    [this.#admitted, this.#sharing] = [[], 0];
    updates.forEach((update) => this.#apply(update));
  }
}

export function structsIn(doc: Y.Doc): number {
  return [...doc.store.clients.values()].reduce((sum, structs) => sum + structs.length, 0);
}

/** How many structs have a place that one before them has. */
function doubled(structs: Y.AbstractStruct[]): number {
  const places = structs.map(placeOf).filter((place) => place !== '');
  return places.length - new Set(places).size;
}
