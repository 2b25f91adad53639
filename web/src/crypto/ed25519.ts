// Ed25519 (RFC 8032), verified as strictly as it can be read: canonical encodings, no point of small
// order, and the equation without the cofactor. All implementations of ours have to agree.

import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { type Bytes, concat, equalBytes } from './wire';

const { Point } = ed25519;
const ORDER = Point.Fn.ORDER;

export const ed25519PublicKey = (secret: Uint8Array): Bytes => ed25519.getPublicKey(secret) as Bytes;
export const ed25519Sign = (message: Uint8Array, secret: Uint8Array): Bytes => ed25519.sign(message, secret) as Bytes;

export function ed25519VerifiesStrictly(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (key.length !== 32 || signature.length !== 64) return false;
  const [r, s] = [signature.subarray(0, 32), littleEndian(signature.subarray(32))];
  if (s >= ORDER) return false;
  try {
    const [a, rPoint] = [Point.fromBytes(key, false), Point.fromBytes(r, false)];
    if (a.isSmallOrder() || rPoint.isSmallOrder()) return false;
    const challenge = littleEndian(sha512(concat(r, key, message))) % ORDER;
    const expected = Point.BASE.multiplyUnsafe(s).subtract(a.multiplyUnsafe(challenge));
    return equalBytes(expected.toBytes(), r);
  } catch {
    return false;
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}
