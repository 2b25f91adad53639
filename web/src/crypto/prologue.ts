// What both sides agree on before a byte is decrypted (docs/protocol.md, prologue).

import { CryptoError } from './error';
import { type Mode, modeByte } from './mode';
import { type Bytes, ascii, concat, identifier, lengthPrefixed } from './wire';

export const CHANNEL_ID_LEN = 16;

export interface Prologue { readonly mode: Mode; readonly bytes: Bytes }

export function prologue(mode: Mode, channelId: Uint8Array, workerId: string, userId: string): Prologue {
  if (channelId.length !== CHANNEL_ID_LEN) throw new CryptoError('identifier');
  const bytes = concat(
    ascii('leapmux channel v1'),
    Uint8Array.of(modeByte(mode)),
    lengthPrefixed(channelId),
    lengthPrefixed(identifier(workerId)),
    lengthPrefixed(identifier(userId)),
  );
  return { mode, bytes };
}
