// The frames of one epoch. Counters begin at 0, are never sent and rise by one with each frame, so
// frames must arrive whole, once and in order; anything else is final.

import { TAG_LEN, open, seal } from './aead';
import { CryptoError } from './error';
import { type Bytes, wipe } from './wire';

export { TAG_LEN } from './aead';

/** 65,535 - 16. */
export const PLAINTEXT_MAX = 65_519;
/** Once the next counter exceeds this, the client renews. */
export const SOFT_LIMIT = 2 ** 31 - 1;
/** A frame whose counter would exceed this is neither sealed nor opened. */
export const HARD_LIMIT = 2 ** 32 - 1;

abstract class Direction {
  #key: Bytes | undefined;
  #counter: number;

  /** `counter` other than 0 is for tests that reach the limits. */
  constructor(key: Bytes, counter = 0) {
    this.#key = key;
    this.#counter = counter;
  }

  get counter(): number {
    return this.#counter;
  }

  get wantsRenewal(): boolean {
    return this.#counter > SOFT_LIMIT;
  }

  wipe(): void {
    wipe(this.#key);
    this.#key = undefined;
  }

  protected get key(): Bytes | undefined {
    if (this.#counter > HARD_LIMIT) throw new CryptoError('counter-exhausted');
    return this.#key;
  }

  protected advance(): void {
    this.#counter++;
  }
}

export class Sealer extends Direction {
  seal(associated: Uint8Array, plaintext: Uint8Array): Bytes {
    if (plaintext.length > PLAINTEXT_MAX) throw new CryptoError('plaintext-too-long');
    const key = this.key;
    if (!key) throw new CryptoError('used-up');
    const sealed = seal(key, this.counter, associated, plaintext);
    this.advance();
    return sealed;
  }
}

/** After a frame that did not open it never opens another: its key is gone. */
export class Opener extends Direction {
  open(associated: Uint8Array, ciphertext: Uint8Array): Bytes {
    const key = this.key;
    const fits = ciphertext.length >= TAG_LEN && ciphertext.length <= PLAINTEXT_MAX + TAG_LEN;
    const plaintext = key && fits ? open(key, this.counter, associated, ciphertext) : undefined;
    if (!plaintext) {
      this.wipe();
      throw new CryptoError('decrypt');
    }
    this.advance();
    return plaintext;
  }
}
