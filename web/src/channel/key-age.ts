// How old the keys of an epoch are: when the client renews them, and when it must not use them at all.

import type { RandomSource } from '../crypto/wire';
import type { Limits } from './limits';

export class KeyAge {
  #born = 0;
  #jitter = 0;

  constructor(private readonly limits: Limits, private readonly random: RandomSource) {}

  /** New keys. Clients that opened together do not renew together. */
  begin(now: number): void {
    this.#born = now;
    this.#jitter = this.random(1)[0]! / 256 * this.limits.keyRenewalJitter;
  }

  get renewal(): number {
    return this.#born + this.limits.keyRenewalAge + this.#jitter;
  }

  get expiry(): number {
    return this.#born + this.limits.keyAge;
  }
}
