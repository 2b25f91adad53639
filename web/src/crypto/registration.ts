// Tags by which a Worker and the registering user's device vouch for their keys to each other, under
// a secret that never passes the Hub.

import { hmac } from './hash';
import { type Bytes, ascii, concat, equalBytes, identifier, lengthPrefixed } from './wire';

export const SECRET_LEN = 32;

/** The Worker's tag over its composite public key. */
export function workerTag(secret: Uint8Array, id: string, key: Uint8Array): Bytes {
  return hmac(secret, concat(ascii('leapmux worker key v1'), lengthPrefixed(identifier(id)), key));
}

/** The device's tag over its public key and the user it belongs to. */
export function deviceTag(secret: Uint8Array, id: string, userId: string, algorithm: number, key: Uint8Array): Bytes {
  return hmac(secret, concat(
    ascii('leapmux device key v1'),
    lengthPrefixed(identifier(id)),
    lengthPrefixed(identifier(userId)),
    Uint8Array.of(algorithm),
    key,
  ));
}

/** Constant-time; a missing tag is a wrong one. */
export function workerTagVerifies(secret: Uint8Array, id: string, key: Uint8Array, tag: Uint8Array): boolean {
  const expected = workerTag(secret, id, key);
  return tag.length === expected.length && equalBytes(tag, expected);
}
