// BLAKE2b and what Noise builds on it: HMAC (block 128) and HKDF (revision 34, section 4.3).

import { blake2b } from '@noble/hashes/blake2.js';
import { hmac as nobleHmac } from '@noble/hashes/hmac.js';
import { type Bytes, concat, wipe } from './wire';

export const HASH_LEN = 64;

export const blake2b512 = (...parts: Uint8Array[]): Bytes => blake2b(concat(...parts), { dkLen: 64 }) as Bytes;
export const blake2b256 = (...parts: Uint8Array[]): Bytes => blake2b(concat(...parts), { dkLen: 32 }) as Bytes;

export function hmac(key: Uint8Array, ...parts: Uint8Array[]): Bytes {
  return nobleHmac(blake2b, key, concat(...parts)) as Bytes;
}

/** `count` outputs of 64 bytes. */
export function hkdf(chainingKey: Uint8Array, input: Uint8Array, count: 2 | 3): Bytes[] {
  const temporary = hmac(chainingKey, input);
  const outputs: Bytes[] = [];
  let previous: Uint8Array = new Uint8Array(0);
  for (let index = 1; index <= count; index++) {
    const output = hmac(temporary, previous, Uint8Array.of(index));
    outputs.push(output);
    previous = output;
  }
  wipe(temporary);
  return outputs;
}
