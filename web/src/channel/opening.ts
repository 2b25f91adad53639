// The handshake of a channel that waits for its answer.

import { drawRandomness } from '../crypto/exchange';
import { AwaitingReply } from '../crypto/handshake';
import { prologue } from '../crypto/prologue';
import type { Bytes } from '../crypto/wire';
import { Epoch } from './epoch';
import type { ControlBody } from './outer';
import { openControl } from './sayings';
import type { SessionParts } from './session-events';

export class Opening {
  readonly #awaiting: AwaitingReply;

  constructor(private readonly parts: SessionParts) {
    const { mode, channelId, workerId, userId, workerKey, random } = parts;
    this.#awaiting = new AwaitingReply(mode, prologue(mode, channelId, workerId, userId), workerKey, drawRandomness(random));
  }

  get control(): ControlBody {
    return openControl(this.parts.channelId, this.parts.workerId, this.#awaiting.message1);
  }

  /** The first epoch; undefined if the answer does not hold. */
  finish(noise: Bytes): Epoch | undefined {
    try {
      return new Epoch(0, this.parts.channelId, this.#awaiting.finish(noise));
    } catch {
      return undefined;
    }
  }

  wipe(): void {
    this.#awaiting.wipe();
  }
}
