// ML-KEM-1024 (FIPS 203). A private key is kept as its seed d || z.

import { ml_kem1024 } from '@noble/post-quantum/ml-kem.js';
import { CryptoError } from './error';
import { type Bytes, wipe } from './wire';

export const KEM_KEY_LEN = 1568;
export const KEM_CIPHERTEXT_LEN = 1568;

/** FIPS 203, section 7.2: the length, and every coefficient below q = 3329. */
export function checkKemKey(key: Uint8Array): void {
  if (key.length !== KEM_KEY_LEN) throw new CryptoError('key');
  for (let at = 0; at < KEM_KEY_LEN - 32; at += 3) {
    const [low, middle, high] = [key[at]!, key[at + 1]!, key[at + 2]!];
    if ((low | (middle & 0x0f) << 8) >= 3329 || (middle >> 4 | high << 4) >= 3329) throw new CryptoError('key');
  }
}

export interface Encapsulated { ciphertext: Bytes; secret: Bytes }

/** `m` is the 32 random bytes of algorithm 20. */
export function encapsulate(key: Uint8Array, m: Uint8Array): Encapsulated {
  checkKemKey(key);
  const { cipherText, sharedSecret } = ml_kem1024.encapsulate(key, m);
  return { ciphertext: cipherText as Bytes, secret: sharedSecret as Bytes };
}

/** A private key expanded from its 64-byte seed. */
export class KemSecret {
  readonly publicKey: Bytes;
  readonly #secret: Uint8Array;

  constructor(seed: Uint8Array) {
    const pair = ml_kem1024.keygen(seed);
    this.publicKey = pair.publicKey as Bytes;
    this.#secret = pair.secretKey;
  }

  /** A ciphertext that was tampered with gives an unrelated secret, never an error (section 6.3). */
  decapsulate(ciphertext: Uint8Array): Bytes {
    return ml_kem1024.decapsulate(ciphertext, this.#secret) as Bytes;
  }

  wipe(): void {
    wipe(this.#secret);
  }
}
