// Streams and their credit: absolute totals since the stream began, each way.

import type { Limits } from './limits';

interface Stream {
  sent: number; maySend: number;
  received: number; consumed: number; granted: number;
  endedHere: boolean; endedThere: boolean;
}

export class Streams {
  readonly #open = new Map<number, Stream>();

  constructor(private readonly limits: Limits) {}

  get size(): number {
    return this.#open.size;
  }

  begin(id: number): void {
    const credit = this.limits.streamCredit;
    this.#open.set(id, {
      sent: 0, maySend: credit, received: 0, consumed: 0, granted: credit, endedHere: false, endedThere: false,
    });
  }

  has(id: number): boolean {
    return this.#open.has(id);
  }

  remove(id: number): boolean {
    return this.#open.delete(id);
  }

  ids(): number[] {
    return [...this.#open.keys()];
  }

  clear(): void {
    this.#open.clear();
  }

  /** Whether a message of `bytes` may be begun now: credit has to cover all of it. */
  covers(id: number, bytes: number): boolean {
    const stream = this.#open.get(id);
    return stream !== undefined && !stream.endedHere && stream.sent + bytes <= stream.maySend;
  }

  sent(id: number, bytes: number): void {
    const stream = this.#open.get(id);
    if (stream) stream.sent += bytes;
  }

  /** False where the other end broke the rules; so for the other verdicts here. */
  received(id: number, bytes: number): boolean {
    const stream = this.#open.get(id);
    if (!stream || stream.endedThere || bytes > this.limits.streamMessage) return false;
    if (stream.received + bytes > stream.granted) return false;
    stream.received += bytes;
    return true;
  }

  /** A new total to grant, once half of the window has been consumed. */
  consumed(id: number, bytes: number): number | undefined {
    const stream = this.#open.get(id);
    if (!stream) return undefined;
    stream.consumed = Math.min(stream.consumed + bytes, stream.received);
    const total = stream.consumed + this.limits.streamCredit;
    if (stream.endedThere || total - stream.granted < this.limits.streamCredit / 2) return undefined;
    stream.granted = total;
    return total;
  }

  credited(id: number, total: number): boolean {
    const stream = this.#open.get(id);
    if (!stream || total < stream.maySend || total > stream.sent + this.limits.streamCredit) return false;
    stream.maySend = total;
    return true;
  }

  endHere(id: number): boolean {
    const stream = this.#open.get(id);
    if (!stream || stream.endedHere) return false;
    stream.endedHere = true;
    this.#sweep(id, stream);
    return true;
  }

  endThere(id: number): boolean {
    const stream = this.#open.get(id);
    if (!stream || stream.endedThere) return false;
    stream.endedThere = true;
    this.#sweep(id, stream);
    return true;
  }

  #sweep(id: number, stream: Stream): void {
    if (stream.endedHere && stream.endedThere) this.#open.delete(id);
  }
}
