// What a client says of the next key it is offered by a Worker it remembers.

import { type Mode, isWeaker } from './mode';
import { equalBytes } from './wire';

export interface Pinned { publicKey: Uint8Array; mode: Mode }

export type PinVerdict =
  | 'first-use' | 'match' | 'mode-stronger' | 'key-changed' | 'mode-weaker' | 'key-and-mode';

export function judge(pinned: Pinned | undefined, offeredKey: Uint8Array, offeredMode: Mode): PinVerdict {
  if (!pinned) return 'first-use';
  const sameKey = equalBytes(pinned.publicKey, offeredKey);
  if (isWeaker(offeredMode, pinned.mode)) return sameKey ? 'mode-weaker' : 'key-and-mode';
  if (!sameKey) return 'key-changed';
  return offeredMode === pinned.mode ? 'match' : 'mode-stronger';
}

/** Verdicts at which nothing is sent before a person has said yes. */
export function stops(verdict: PinVerdict): verdict is 'key-changed' | 'mode-weaker' | 'key-and-mode' {
  return verdict === 'key-changed' || verdict === 'mode-weaker' || verdict === 'key-and-mode';
}
