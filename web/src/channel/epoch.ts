// The keys of one epoch of a channel, as frames: sealed and opened in order, under the header.

import { CryptoError } from '../crypto/error';
import type { Established, Root } from '../crypto/symmetric';
import type { Bytes } from '../crypto/wire';
import { type Frame, associatedData, encodeFrame } from './outer';
import { CloseReason } from './reasons';

export class Epoch {
  constructor(readonly number: number, private readonly channelId: Bytes, private readonly keys: Established) {}

  /** Final hash of the handshake or renewal, to which a claim is bound. */
  get hash(): Bytes {
    return this.keys.root.hash;
  }

  /** From which a renewal begins. */
  get root(): Root {
    return this.keys.root;
  }

  /** Either direction has passed the soft limit. */
  get wantsRenewal(): boolean {
    return this.keys.sealer.wantsRenewal || this.keys.opener.wantsRenewal;
  }

  /** A whole outer message. */
  seal(correlation: bigint, flags: number, plaintext: Bytes): Bytes | CloseReason {
    try {
      const ciphertext = this.keys.sealer.seal(associatedData(correlation, flags), plaintext);
      return encodeFrame({ channelId: this.channelId, epoch: this.number, correlation, flags, ciphertext });
    } catch (error) {
      return reasonOf(error);
    }
  }

  open(frame: Frame): Bytes | CloseReason {
    try {
      return this.keys.opener.open(associatedData(frame.correlation, frame.flags), frame.ciphertext);
    } catch (error) {
      return reasonOf(error);
    }
  }

  wipe(): void {
    const { sealer, opener, root } = this.keys;
    [sealer, opener, root].forEach((part) => part.wipe());
  }
}

function reasonOf(error: unknown): CloseReason {
  const exhausted = error instanceof CryptoError && error.reason === 'counter-exhausted';
  return exhausted ? CloseReason.KEY_EXPIRED : CloseReason.DECRYPT_FAILED;
}
