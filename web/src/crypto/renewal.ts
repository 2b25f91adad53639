// A new epoch for a channel that exists: the two messages again, begun from the root of the base
// epoch. No signature; the root proves that both sides are those of the handshake.

import { CryptoError } from './error';
import { ClientExchange, type ClientRandomness } from './exchange';
import { LENGTHS, type Mode } from './mode';
import type { PublicKey } from './public-key';
import { type Established, type Root, SymmetricState } from './symmetric';
import { type Bytes, ascii, concat, readU64, u32, u64 } from './wire';

export interface Renewal {
  mode: Mode;
  /** Number of the new epoch. */
  serial: number;
  /** Number of the epoch that the root belongs to; the handshake's is 0. */
  base: number;
  /** Counted frames that this side has decrypted since the channel opened. */
  received: bigint;
}

/** Chaining key and hash of the base epoch, and the numbers that both sides name in the open. */
export function openRenewal(renewal: Renewal, root: Root): SymmetricState {
  const state = SymmetricState.resume(root);
  state.mixHash(concat(ascii('leapmux renew v1'), u32(renewal.serial), u32(renewal.base)));
  return state;
}

/** A renewal that has been asked for and not answered. It can be finished once. */
export class AwaitingRenewal {
  readonly #exchange: ClientExchange;

  constructor(readonly renewal: Renewal, root: Root, worker: PublicKey, random: ClientRandomness) {
    const state = openRenewal(renewal, root);
    this.#exchange = new ClientExchange(renewal.mode, state, worker, random, u64(renewal.received));
  }

  /** The `noise` field of Renew. */
  get message1(): Bytes {
    return this.#exchange.message1;
  }

  /** Reads the `noise` field of Renewed. */
  finish(noise: Uint8Array): { established: Established; received: bigint } {
    return this.#exchange.finish(noise, LENGTHS[this.renewal.mode].renewed, (state, sealed) => {
      const payload = state.decryptAndHash(sealed);
      if (payload.length !== 8) throw new CryptoError('handshake');
      return { established: state.split('client'), received: readU64(payload) };
    });
  }

  wipe(): void {
    this.#exchange.wipe();
  }
}
