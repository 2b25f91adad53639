// X25519 (RFC 7748). An all-zero result is an error.

import { x25519 } from '@noble/curves/ed25519.js';
import { CryptoError } from './error';
import type { Bytes } from './wire';

export const X25519_LEN = 32;

export const publicKey = (secret: Uint8Array): Bytes => x25519.getPublicKey(secret) as Bytes;

export function diffieHellman(secret: Uint8Array, theirs: Uint8Array): Bytes {
  try {
    // The library refuses an all-zero result.
    return x25519.getSharedSecret(secret, theirs) as Bytes;
  } catch {
    throw new CryptoError('handshake');
  }
}
