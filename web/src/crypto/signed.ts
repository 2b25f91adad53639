// Statements that devices and Workers sign. What is signed is signed as sent: nobody encodes a body
// again, and a body is parsed only after its signature was verified.

import { ed25519VerifiesStrictly } from './ed25519';
import { CryptoError } from './error';
import { slhVerifies } from './hybrid';
import { mlDsaVerifies } from './ml-dsa';
import type { Mode } from './mode';
import { type Bytes, ascii, concat, identifier, lengthPrefixed } from './wire';

/** 1 Ed25519; 2 Ed25519 and ML-DSA-65, both of which must verify; 3 SLH-DSA, for a rotation only. */
export type Algorithm = 1 | 2 | 3;
export const deviceAlgorithm = (mode: Mode): Algorithm => (mode === 'classic' ? 1 : 2);

/** What a statement is for, so that none fits another purpose. */
export type Label = 'leapmux user claim v1' | 'leapmux device v1' | 'leapmux grant v1' | 'leapmux rotation v1';

/** The fields of the protobuf message Signed. */
export interface SignedParts { algorithm: number; key: Bytes; body: Bytes; signature: Bytes }

/** LP(label), algorithm, LP(context), LP(key), LP(body). */
export function covered(label: Label, algorithm: Algorithm, context: Uint8Array, key: Uint8Array, body: Uint8Array): Bytes {
  return concat(
    lengthPrefixed(ascii(label)),
    Uint8Array.of(algorithm),
    lengthPrefixed(context),
    lengthPrefixed(key),
    lengthPrefixed(body),
  );
}

/** Final hash of the handshake or renewal, then the Worker's id: a claim fits no other channel. */
export const claimContext = (hash: Uint8Array, workerId: string): Bytes => concat(hash, identifier(workerId));

/** Says only that the holder of `parts.key` signed this; whether that key is trusted is another question. */
export function verify(mode: Mode, label: Label, context: Uint8Array, parts: SignedParts): void {
  const algorithm = algorithmFor(label, mode);
  if (parts.algorithm !== algorithm) throw new CryptoError('mode');
  const message = covered(label, algorithm, context, parts.key, parts.body);
  if (!verifiers[algorithm](label, parts.key, message, parts.signature)) throw new CryptoError('signature');
}

function algorithmFor(label: Label, mode: Mode): Algorithm {
  if (label !== 'leapmux rotation v1') return deviceAlgorithm(mode);
  if (mode === 'classic') throw new CryptoError('mode');
  return 3;
}

type Verifier = (label: Label, key: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

const verifiers: Record<Algorithm, Verifier> = {
  1: (_label, key, message, signature) => ed25519VerifiesStrictly(key, message, signature),
  2: (label, key, message, signature) =>
    ed25519VerifiesStrictly(key.subarray(0, 32), message, signature.subarray(0, 64))
    && mlDsaVerifies(key.subarray(32), ascii(label), message, signature.subarray(64)),
  3: (label, key, message, signature) => slhVerifies(key, ascii(label), message, signature),
};
