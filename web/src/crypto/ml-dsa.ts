// ML-DSA-65 (FIPS 204), pure, hedged; the label of a statement is the context string.

import { ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import { type Bytes, wipe } from './wire';

export const ML_DSA_KEY_LEN = 1952;
export const ML_DSA_SIGNATURE_LEN = 3309;

export const mlDsaPublicKey = (seed: Uint8Array): Bytes => {
  const { publicKey, secretKey } = ml_dsa65.keygen(seed);
  wipe(secretKey);
  return publicKey as Bytes;
};

/** `rnd` is the 32 random bytes of algorithm 2. */
export function mlDsaSign(seed: Uint8Array, context: Uint8Array, message: Uint8Array, rnd: Uint8Array): Bytes {
  const { secretKey } = ml_dsa65.keygen(seed);
  try {
    return ml_dsa65.sign(message, secretKey, { context, extraEntropy: rnd }) as Bytes;
  } finally {
    wipe(secretKey);
  }
}

export function mlDsaVerifies(key: Uint8Array, context: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (key.length !== ML_DSA_KEY_LEN || signature.length !== ML_DSA_SIGNATURE_LEN) return false;
  try {
    return ml_dsa65.verify(signature, message, key, { context });
  } catch {
    return false;
  }
}
