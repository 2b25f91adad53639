// The key of this browser profile: who the client is. It has an Ed25519 and an ML-DSA-65 half, and
// the mode of a channel picks what signs. How the halves are kept is the store's business: it gives
// a signer for the first and unwraps the seed of the second for the moment of signing.

import { ed25519PublicKey, ed25519Sign } from './ed25519';
import { CryptoError } from './error';
import { mlDsaPublicKey, mlDsaSign } from './ml-dsa';
import type { Mode } from './mode';
import { type Label, type SignedParts, covered, deviceAlgorithm } from './signed';
import { type Bytes, ascii, concat, wipe } from './wire';

export interface DeviceHalves {
  ed25519Public: Bytes;
  mlDsaPublic: Bytes;
  /** An RFC 8032 signature, 64 bytes. */
  signEd25519(message: Bytes): Promise<Bytes>;
  /** A copy of the 32-byte seed, which the caller wipes. */
  mlDsaSeed(): Promise<Bytes>;
}

export class DeviceKey {
  constructor(private readonly halves: DeviceHalves) {}

  /** The public key by which a channel of this mode knows the device: 32 or 1,984 bytes. */
  publicKey(mode: Mode): Bytes {
    const { ed25519Public, mlDsaPublic } = this.halves;
    return mode === 'classic' ? ed25519Public.slice() : concat(ed25519Public, mlDsaPublic);
  }

  /** `rnd`, 32 random bytes, hedges ML-DSA; Ed25519 needs none. */
  async sign(mode: Mode, label: Label, context: Uint8Array, body: Bytes, rnd: Uint8Array): Promise<SignedParts> {
    if (label === 'leapmux rotation v1') throw new CryptoError('mode');
    const algorithm = deviceAlgorithm(mode);
    const key = this.publicKey(mode);
    const message = covered(label, algorithm, context, key, body);
    const first = await this.halves.signEd25519(message);
    if (mode === 'classic') return { algorithm, key, body, signature: first };
    const seed = await this.halves.mlDsaSeed();
    try {
      return { algorithm, key, body, signature: concat(first, mlDsaSign(seed, ascii(label), message, rnd)) };
    } finally {
      wipe(seed);
    }
  }
}

/** Both halves from their seeds, where the platform keeps no keys for us, and for vectors. */
export function halvesFromSeeds(ed25519Secret: Bytes, mlDsaSeed: Bytes): DeviceHalves {
  return {
    ed25519Public: ed25519PublicKey(ed25519Secret),
    mlDsaPublic: mlDsaPublicKey(mlDsaSeed),
    signEd25519: async (message) => ed25519Sign(message, ed25519Secret),
    mlDsaSeed: async () => mlDsaSeed.slice(),
  };
}
