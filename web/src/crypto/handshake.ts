// The client's handshake, one front for both modes (docs/protocol.md, handshake).

import { CryptoError } from './error';
import { ClientExchange, type ClientRandomness } from './exchange';
import { mixHybridStatic, verifyWorkerSignature } from './hybrid';
import { LENGTHS, type Mode } from './mode';
import { mixNkStatic } from './noise-nk';
import type { Prologue } from './prologue';
import type { PublicKey } from './public-key';
import { type Established, SymmetricState } from './symmetric';
import { type Bytes } from './wire';

/** Row 1 of message 1: the prologue and the keys that the client knows beforehand. */
export function openHandshake(mode: Mode, prologue: Prologue, worker: PublicKey): SymmetricState {
  if (prologue.mode !== mode) throw new CryptoError('mode');
  const state = SymmetricState.start();
  state.mixHash(prologue.bytes);
  mixNkStatic(state, worker);
  if (mode === 'post-quantum') mixHybridStatic(state, worker);
  return state;
}

/** A handshake that has been started and not answered. It can be finished once. */
export class AwaitingReply {
  readonly #exchange: ClientExchange;

  /** `payload` is empty on our wire; the published Noise vectors have one. */
  constructor(readonly mode: Mode, prologue: Prologue, readonly worker: PublicKey, random: ClientRandomness,
    payload: Uint8Array = new Uint8Array(0)) {
    const state = openHandshake(mode, prologue, worker);
    this.#exchange = new ClientExchange(mode, state, worker, random, payload);
  }

  get message1(): Bytes {
    return this.#exchange.message1;
  }

  /** Checks the seal, then in post-quantum mode the signature. Whatever fails, all state is wiped. */
  finish(message2: Uint8Array): Established {
    return this.read(message2, LENGTHS[this.mode].message2).established;
  }

  /** The same without the length of our wire, and with message 2's payload. */
  read(message2: Uint8Array, length?: number): { established: Established; payload: Bytes } {
    return this.#exchange.finish(message2, length, (state, sealed) => {
      const signed = state.hash;
      const payload = state.decryptAndHash(sealed);
      if (this.mode === 'post-quantum') verifyWorkerSignature(signed, this.worker, payload);
      return { established: state.split('client'), payload };
    });
  }

  wipe(): void {
    this.#exchange.wipe();
  }
}
