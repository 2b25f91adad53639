// A logical message cut into frames, and put together again.

import { PLAINTEXT_MAX } from '../crypto/transport';
import { type Bytes, concat } from '../crypto/wire';
import { FLAG_MORE } from './outer';
import type { Place } from './tally';

export interface Chunk { flags: number; plaintext: Bytes }

export class Splitter {
  #at = 0;

  constructor(private readonly message: Bytes) {}

  get remaining(): number {
    return this.message.length - this.#at;
  }

  /** Fits one frame and has not been begun. */
  get isSingle(): boolean {
    return this.#at === 0 && this.message.length <= PLAINTEXT_MAX;
  }

  /** Begun and not ended: no other message may be chunked meanwhile. */
  get isBetweenChunks(): boolean {
    return this.#at > 0 && this.remaining > 0;
  }

  next(): Chunk {
    const plaintext = this.message.subarray(this.#at, this.#at + PLAINTEXT_MAX);
    this.#at += plaintext.length;
    return { flags: this.remaining > 0 ? FLAG_MORE : 0, plaintext };
  }
}

/** Joins what a tally has admitted; the bounds are the tally's. */
export class Joiner {
  #parts: Bytes[] = [];

  /** The whole message, once it is there. */
  join(place: Place, plaintext: Bytes): Bytes | undefined {
    if (place === 'whole') return plaintext;
    this.#parts.push(plaintext);
    if (place === 'chunk') return undefined;
    const message = concat(...this.#parts);
    this.clear();
    return message;
  }

  clear(): void {
    this.#parts.forEach((part) => part.fill(0));
    this.#parts = [];
  }
}
