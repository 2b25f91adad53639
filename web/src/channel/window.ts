// What is sent and not acknowledged; what is received and not yet said so. Counted are all frames but
// claim, its answer, failure, Ack and ping. An Ack says how many were decrypted since the channel
// opened, whatever the epoch, so it depends on nobody consuming anything. The plaintext of a counted
// frame is kept until then, because a renewal seals it anew.

import { PLAINTEXT_MAX } from '../crypto/transport';
import { type Bytes, wipe } from '../crypto/wire';
import type { Limits } from './limits';

/** One frame before it is sealed. */
export interface Plain { correlation: bigint; flags: number; plaintext: Bytes }

export class Window {
  #acknowledged = 0n;
  #kept: Plain[] = [];
  /** So many of the kept frames have been sealed in this epoch. */
  #sealed = 0;
  #bytes = 0;

  constructor(private readonly limits: Limits) {}

  get hasRoom(): boolean {
    return this.#kept.length < this.limits.windowFrames && this.#bytes + PLAINTEXT_MAX <= this.limits.windowBytes;
  }

  /** A frame that is sealed for the first time, after all that were kept. Its plaintext is taken over. */
  keep({ correlation, flags, plaintext }: Plain): void {
    this.#kept.push({ correlation, flags, plaintext });
    this.#sealed += 1;
    this.#bytes += plaintext.length;
  }

  /** The next of the kept frames to seal anew, in the order in which they were sealed first. */
  again(): Plain | undefined {
    const frame = this.#kept[this.#sealed];
    if (frame) this.#sealed += 1;
    return frame;
  }

  /** A new epoch: nothing that is kept has been sealed in it. */
  rewind(): void {
    this.#sealed = 0;
  }

  /** False if it acknowledges what was not sent, or takes back. */
  acknowledge(received: bigint): boolean {
    const fresh = received - this.#acknowledged;
    if (fresh < 0n || fresh > BigInt(this.#sealed)) return false;
    for (const { plaintext } of this.#kept.splice(0, Number(fresh))) {
      this.#bytes -= plaintext.length;
      wipe(plaintext);
    }
    this.#sealed -= Number(fresh);
    this.#acknowledged = received;
    return true;
  }

  clear(): void {
    this.#kept.forEach(({ plaintext }) => wipe(plaintext));
    this.#kept = [];
    this.#sealed = 0;
    this.#bytes = 0;
  }
}

export class Receipts {
  #received = 0n;
  #frames = 0;
  #bytes = 0;
  #first: number | undefined;
  #isOverdue = false;

  constructor(private readonly limits: Limits) {}

  /** Counted frames decrypted since the channel opened. */
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
    this.expire(now);
    const due = this.#frames >= ackFrames || this.#bytes >= ackBytes || this.#isOverdue;
    return due ? this.tell() : undefined;
  }

  /** The total, which the other end is told now: by an Ack, or by a renewal. */
  tell(): bigint {
    [this.#frames, this.#bytes, this.#first, this.#isOverdue] = [0, 0, undefined, false];
    return this.#received;
  }

  /** When to `expire`; not again for what was found due, which may wait long for a place. */
  get deadline(): number | undefined {
    return this.#first === undefined || this.#isOverdue ? undefined : this.#first + this.limits.ackDelay;
  }

  expire(now: number): void {
    this.#isOverdue ||= (this.deadline ?? Infinity) <= now;
  }
}
