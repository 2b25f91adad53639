// What is sent and not acknowledged; what is received and not yet said so. Counted are all frames but
// claim, its answer, failure, Ack and ping. An Ack says how many were decrypted since the channel
// opened, whatever the epoch, so it depends on nobody consuming anything.

import { PLAINTEXT_MAX } from '../crypto/transport';
import type { Limits } from './limits';

export class Window {
  #acknowledged = 0n;
  #sizes: number[] = [];
  #bytes = 0;

  constructor(private readonly limits: Limits) {}

  get hasRoom(): boolean {
    return this.#sizes.length < this.limits.windowFrames && this.#bytes + PLAINTEXT_MAX <= this.limits.windowBytes;
  }

  sent(bytes: number): void {
    this.#sizes.push(bytes);
    this.#bytes += bytes;
  }

  /** False if it acknowledges what was not sent, or takes back. */
  acknowledge(received: bigint): boolean {
    const fresh = received - this.#acknowledged;
    if (fresh < 0n || fresh > BigInt(this.#sizes.length)) return false;
    for (const size of this.#sizes.splice(0, Number(fresh))) this.#bytes -= size;
    this.#acknowledged = received;
    return true;
  }
}

export class Receipts {
  #received = 0n;
  #frames = 0;
  #bytes = 0;
  #first: number | undefined;

  constructor(private readonly limits: Limits) {}

  get received(): bigint {
    return this.#received;
  }

  count(bytes: number, now: number): void {
    this.#received += 1n;
    this.#frames += 1;
    this.#bytes += bytes;
    this.#first ??= now;
  }

  /** The total to acknowledge, if it is time. */
  takeDue(now: number): bigint | undefined {
    const { ackFrames, ackBytes } = this.limits;
    const due = this.#frames >= ackFrames || this.#bytes >= ackBytes || (this.deadline ?? Infinity) <= now;
    if (!due) return undefined;
    [this.#frames, this.#bytes, this.#first] = [0, 0, undefined];
    return this.#received;
  }

  get deadline(): number | undefined {
    return this.#first === undefined ? undefined : this.#first + this.limits.ackDelay;
  }
}
