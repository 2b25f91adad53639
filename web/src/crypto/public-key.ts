// A Worker's composite public key: X25519 32, ML-KEM-1024 1568, SLH-DSA-SHAKE-256f 64.

import { CryptoError } from './error';
import { KEM_KEY_LEN, checkKemKey } from './kem';
import type { Bytes } from './wire';
import { X25519_LEN } from './x25519';

export const SLH_KEY_LEN = 64;
export const COMPOSITE_LEN = X25519_LEN + KEM_KEY_LEN + SLH_KEY_LEN;

export interface PublicKey { readonly bytes: Bytes; readonly x25519: Bytes; readonly kem: Bytes; readonly slh: Bytes }

/** Exact length, and the check of FIPS 203, section 7.2, before anything is computed with it. */
export function parsePublicKey(bytes: Uint8Array): PublicKey {
  if (bytes.length !== COMPOSITE_LEN) throw new CryptoError('key');
  const own = Uint8Array.from(bytes);
  const kem = own.slice(X25519_LEN, X25519_LEN + KEM_KEY_LEN);
  checkKemKey(kem);
  return { bytes: own, x25519: own.slice(0, X25519_LEN), kem, slh: own.slice(X25519_LEN + KEM_KEY_LEN) };
}
