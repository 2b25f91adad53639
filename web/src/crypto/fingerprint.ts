// Four words by which people compare a key; machines compare whole keys. The words stand for 44 bits
// behind a memory-hard hash, because an attacker can vary a key of his own until its words fit.

import { argon2id } from '@noble/hashes/argon2.js';
import { blake2b256 } from './hash';
import { ascii, bytesToHex } from './wire';
import { WORDS } from './words';

const SALT = ascii('leapmux-fingerprint');
const COST = { t: 2, m: 19_456, p: 1, dkLen: 32, version: 0x13 };

/** About 0.1 s of one core. */
export function fingerprint(publicKey: Uint8Array): string {
  const stretched = argon2id(blake2b256(publicKey), SALT, COST);
  const bits = stretched.subarray(0, 6).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return [37n, 26n, 15n, 4n].map((shift) => WORDS[Number((bits >> shift) & 2047n)]!).join('-');
}

/** The whole fingerprint, for comparison on a screen: hex of BLAKE2b-256. */
export const fullFingerprint = (publicKey: Uint8Array): string => bytesToHex(blake2b256(publicKey));
