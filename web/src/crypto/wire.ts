// Bytes on the wire outside protobuf: big-endian integers and length-prefixed fields.

import { CryptoError } from './error';

export { equalBytes } from '@noble/ciphers/utils.js';
export { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';

export type Bytes = Uint8Array<ArrayBuffer>;

/** `length` fresh bytes. The only source of randomness that this folder knows is an argument. */
export type RandomSource = (length: number) => Bytes;

const FIELD_MAX = 0xffff;
const ID_MAX = 64;

export function concat(...parts: Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export const ascii = (text: string): Bytes => Uint8Array.from(text, (char) => char.charCodeAt(0));

/** LP(x): u16 length, then x; never empty. */
export function lengthPrefixed(field: Uint8Array): Bytes {
  if (field.length === 0 || field.length > FIELD_MAX) throw new CryptoError('field');
  return concat(Uint8Array.of(field.length >> 8, field.length & 0xff), field);
}

/** An identifier in its text form: 1 to 64 visible ASCII characters. */
export function identifier(text: string): Bytes {
  if (text.length > ID_MAX || !/^[!-~]+$/.test(text)) throw new CryptoError('identifier');
  return ascii(text);
}

export function u32(value: number): Bytes {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value);
  return out;
}

export function u64(value: bigint): Bytes {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, value);
  return out;
}

export function readU64(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0);
}

/** Overwrites secrets. The engine may still hold copies: this narrows the window, no more. */
export function wipe(...secrets: (Uint8Array | undefined)[]): void {
  secrets.forEach((secret) => secret?.fill(0));
}
