// The SymmetricState of Noise (revision 34, section 5.2): chaining key, hash, handshake key.

import { KEY_LEN, open, seal } from './aead';
import { CryptoError } from './error';
import { HASH_LEN, blake2b512, hkdf } from './hash';
import { Opener, Sealer } from './transport';
import { type Bytes, ascii, wipe } from './wire';

const LABEL = ascii('Noise_NK_25519_ChaChaPoly_BLAKE2b');

/** Final hash and renewal secret of an epoch, 64 bytes each: from it a renewal begins. */
export class Root {
  constructor(readonly hash: Bytes, readonly renewalSecret: Bytes) {}
  wipe(): void {
    wipe(this.renewalSecret);
  }
}

/** What both sides have after an exchange. */
export interface Established { sealer: Sealer; opener: Opener; root: Root }

export class SymmetricState {
  #chainingKey: Bytes;
  #hash: Bytes;
  #key: Bytes | undefined;
  #counter = 0;

  private constructor(chainingKey: Uint8Array, hash: Uint8Array) {
    this.#chainingKey = Uint8Array.from(chainingKey);
    this.#hash = Uint8Array.from(hash);
  }

  /** InitializeSymmetric: the label is shorter than a hash, so it is zero-padded. */
  static start(): SymmetricState {
    const padded = new Uint8Array(HASH_LEN);
    padded.set(LABEL);
    return new SymmetricState(padded, padded);
  }

  /** The state in which a renewal begins. */
  static resume(root: Root): SymmetricState {
    return new SymmetricState(root.renewalSecret, root.hash);
  }

  get hash(): Bytes {
    return this.#hash;
  }

  mixHash(data: Uint8Array): void {
    this.#hash = blake2b512(this.#hash, data);
  }

  /** Takes `input` over and wipes it. */
  mixKey(input: Uint8Array): void {
    const [chainingKey, key] = hkdf(this.#chainingKey, input, 2) as [Bytes, Bytes];
    wipe(this.#chainingKey, this.#key, input);
    this.#chainingKey = chainingKey;
    this.#key = key.slice(0, KEY_LEN);
    wipe(key);
    this.#counter = 0;
  }

  encryptAndHash(payload: Uint8Array): Bytes {
    if (!this.#key) throw new CryptoError('used-up');
    const sealed = seal(this.#key, this.#counter++, this.#hash, payload);
    this.mixHash(sealed);
    return sealed;
  }

  decryptAndHash(sealed: Uint8Array): Bytes {
    const payload = this.#key && open(this.#key, this.#counter, this.#hash, sealed);
    if (!payload) throw new CryptoError('handshake');
    this.#counter++;
    this.mixHash(sealed);
    return payload;
  }

  /** Split() with a third output, the renewal secret. Wipes this state. */
  split(side: 'client' | 'worker'): Established {
    const [client, worker, renewal] = hkdf(this.#chainingKey, new Uint8Array(0), 3) as [Bytes, Bytes, Bytes];
    const [mine, theirs] = side === 'client' ? [client, worker] : [worker, client];
    const result = {
      sealer: new Sealer(mine.slice(0, KEY_LEN)),
      opener: new Opener(theirs.slice(0, KEY_LEN)),
      root: new Root(this.#hash.slice(), renewal),
    };
    wipe(client, worker);
    this.wipe();
    return result;
  }

  wipe(): void {
    wipe(this.#chainingKey, this.#key);
    this.#key = undefined;
  }
}
