// ChaCha20-Poly1305 (RFC 8439) under Noise's nonce: four zero bytes, then the counter, little-endian.

import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import type { Bytes } from './wire';

export const KEY_LEN = 32;
export const TAG_LEN = 16;

export function seal(key: Uint8Array, counter: number, associated: Uint8Array, plaintext: Uint8Array): Bytes {
  return chacha20poly1305(key, nonce(counter), associated).encrypt(plaintext) as Bytes;
}

/** Undefined when the tag does not fit. */
export function open(key: Uint8Array, counter: number, associated: Uint8Array, sealed: Uint8Array): Bytes | undefined {
  if (sealed.length < TAG_LEN) return undefined;
  try {
    return chacha20poly1305(key, nonce(counter), associated).decrypt(sealed) as Bytes;
  } catch {
    return undefined;
  }
}

function nonce(counter: number): Bytes {
  const out = new Uint8Array(12);
  const view = new DataView(out.buffer);
  view.setUint32(4, counter >>> 0, true);
  view.setUint32(8, Math.floor(counter / 2 ** 32), true);
  return out;
}
