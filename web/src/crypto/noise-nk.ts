// The rows of Noise_NK on the client's side: `e, es` out, `e, ee` in.

import type { PublicKey } from './public-key';
import type { SymmetricState } from './symmetric';
import type { Bytes } from './wire';
import { diffieHellman, publicKey } from './x25519';

export function mixNkStatic(state: SymmetricState, worker: PublicKey): void {
  state.mixHash(worker.x25519);
}

export function writeNk1(state: SymmetricState, e: Uint8Array, workerStatic: Uint8Array): Bytes {
  const ephemeral = publicKey(e);
  state.mixHash(ephemeral);
  state.mixKey(diffieHellman(e, workerStatic));
  return ephemeral;
}

export function readNk2(state: SymmetricState, e: Uint8Array, theirEphemeral: Uint8Array): void {
  state.mixHash(theirEphemeral);
  state.mixKey(diffieHellman(e, theirEphemeral));
}
