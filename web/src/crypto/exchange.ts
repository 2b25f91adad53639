// The client's side of the two messages of an exchange: of a handshake and, on another footing, of
// a renewal. The caller has mixed in what both sides know beforehand.

import { CryptoError } from './error';
import { KEM_CIPHERTEXT_LEN, KemSecret } from './kem';
import { readHybrid2, writeHybrid1 } from './hybrid';
import type { Mode } from './mode';
import { readNk2, writeNk1 } from './noise-nk';
import type { PublicKey } from './public-key';
import type { SymmetricState } from './symmetric';
import { type Bytes, type RandomSource, concat, wipe } from './wire';
import { X25519_LEN } from './x25519';

/** Everything random on the client's side of one exchange. Never use one twice. */
export interface ClientRandomness {
  /** The ephemeral X25519 private key e, 32 bytes. */
  e: Bytes;
  /** m of the encapsulation to the Worker's static key, 32 bytes. */
  encapsulation: Bytes;
  /** The seed d || z of the ephemeral ML-KEM key, 64 bytes. */
  ephemeralKem: Bytes;
}

export function drawRandomness(random: RandomSource): ClientRandomness {
  return { e: random(32), encapsulation: random(32), ephemeralKem: random(64) };
}

/** What the client keeps between the two messages; wiped when read, or when given up. */
export class ClientExchange {
  #state: SymmetricState | undefined;
  readonly #e: Bytes;
  readonly #kem: KemSecret | undefined;
  readonly message1: Bytes;

  constructor(mode: Mode, state: SymmetricState, worker: PublicKey, random: ClientRandomness, payload: Uint8Array) {
    this.#state = state;
    this.#e = random.e;
    this.#kem = mode === 'classic' ? undefined : new KemSecret(random.ephemeralKem);
    try {
      const rows = [writeNk1(state, this.#e, worker.x25519)];
      if (this.#kem) rows.push(writeHybrid1(state, worker.kem, random.encapsulation, this.#kem.publicKey));
      this.message1 = concat(...rows, state.encryptAndHash(payload));
    } catch (error) {
      this.wipe();
      throw error;
    } finally {
      wipe(random.encapsulation, random.ephemeralKem);
    }
  }

  /** Reads message 2 up to its sealed part. Usable once; whatever fails, this state is wiped. */
  finish<T>(message2: Uint8Array, length: number | undefined, last: (state: SymmetricState, sealed: Uint8Array) => T): T {
    const state = this.#state;
    if (!state) throw new CryptoError('used-up');
    try {
      if (length !== undefined && message2.length !== length) throw new CryptoError('handshake');
      return last(state, this.#read(state, message2));
    } finally {
      this.wipe();
    }
  }

  #read(state: SymmetricState, message2: Uint8Array): Uint8Array {
    const headLength = X25519_LEN + (this.#kem ? KEM_CIPHERTEXT_LEN : 0);
    if (message2.length < headLength) throw new CryptoError('handshake');
    readNk2(state, this.#e, message2.subarray(0, X25519_LEN));
    if (this.#kem) readHybrid2(state, this.#kem, message2.subarray(X25519_LEN, headLength));
    return message2.subarray(headLength);
  }

  wipe(): void {
    this.#state?.wipe();
    this.#state = undefined;
    wipe(this.#e);
    this.#kem?.wipe();
  }
}
