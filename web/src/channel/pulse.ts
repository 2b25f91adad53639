// Pings and pongs of one channel: neither is counted, neither is ever sent again.

import type { InnerBody } from './mux';

export class Pulse {
  #pong: bigint | undefined;
  #ping: { nonce: bigint; at: number } | undefined;
  #isPingWanted = false;
  #nonce = 0n;
  #roundTrip: number | undefined;

  wantPing(): void {
    this.#isPingWanted = true;
  }

  /** One answer at a time is enough: a flood of questions must not grow a queue. */
  heedPing(nonce: bigint): boolean {
    this.#pong = nonce;
    return true;
  }

  heedPong(nonce: bigint, now: number): boolean {
    if (this.#ping?.nonce !== nonce) return true;
    this.#roundTrip = now - this.#ping.at;
    this.#ping = undefined;
    return true;
  }

  /** How long the way took there and back, once it is known. */
  takeRoundTrip(): number | undefined {
    const taken = this.#roundTrip;
    this.#roundTrip = undefined;
    return taken;
  }

  next(now: number): InnerBody | undefined {
    const pong = this.#pong;
    this.#pong = undefined;
    if (pong !== undefined) return { case: 'pong', value: { $typeName: 'leapmux.v1.Pong', nonce: pong } };
    if (!this.#isPingWanted) return undefined;
    this.#isPingWanted = false;
    this.#ping = { nonce: ++this.#nonce, at: now };
    return { case: 'ping', value: { $typeName: 'leapmux.v1.Ping', nonce: this.#ping.nonce } };
  }
}
