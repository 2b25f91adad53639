// What the post-quantum mode adds to Noise_NK on the client's side. Message 1 encapsulates to the
// Worker's static ML-KEM key and brings an ephemeral one; message 2 encapsulates to that and carries
// an SLH-DSA signature, sealed, over the handshake hash.

import { slh_dsa_shake_256f } from '@noble/post-quantum/slh-dsa.js';
import { CryptoError } from './error';
import { type KemSecret, encapsulate } from './kem';
import type { PublicKey } from './public-key';
import type { SymmetricState } from './symmetric';
import { type Bytes, ascii, concat } from './wire';

export const SIGNATURE_LEN = 49_856;
const SIGNATURE_CONTEXT = ascii('leapmux channel v1');

export function mixHybridStatic(state: SymmetricState, worker: PublicKey): void {
  state.mixHash(worker.kem);
  state.mixHash(worker.slh);
}

export function writeHybrid1(state: SymmetricState, workerKem: Uint8Array, m: Uint8Array, ephemeral: Bytes): Bytes {
  const { ciphertext, secret } = encapsulate(workerKem, m);
  state.mixHash(ciphertext);
  state.mixKey(secret);
  state.mixHash(ephemeral);
  return concat(ciphertext, ephemeral);
}

export function readHybrid2(state: SymmetricState, ephemeral: KemSecret, ciphertext: Uint8Array): void {
  const secret = ephemeral.decapsulate(ciphertext);
  state.mixHash(ciphertext);
  state.mixKey(secret);
}

/** Whoever answered must hold the Worker's SLH-DSA key. `signed` is the hash before the seal. */
export function verifyWorkerSignature(signed: Uint8Array, worker: PublicKey, signature: Uint8Array): void {
  if (!slhVerifies(worker.slh, SIGNATURE_CONTEXT, signed, signature)) throw new CryptoError('worker-signature');
}

/** FIPS 205, algorithm 24, pure, with a context string. */
export function slhVerifies(key: Uint8Array, context: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_LEN) return false;
  try {
    return slh_dsa_shake_256f.verify(signature, message, key, { context });
  } catch {
    return false;
  }
}
