// Measures the way to the Worker, and notices a path that is dead without saying so (a laptop that
// slept, a network that changed).

import type { Surroundings } from './surroundings';

const PING_EVERY_MS = 15_000;
const PONG_WITHIN_MS = 10_000;

export class Heartbeat {
  #callOff: (() => void) | undefined;
  #hasHeard = false;

  constructor(private readonly surroundings: Surroundings) {}

  /** Anything at all that came from the Worker. */
  heard(): void {
    this.#hasHeard = true;
  }

  start(ping: () => void, dead: () => void): void {
    this.stop();
    this.#hasHeard = false;
    ping();
    this.#callOff = this.surroundings.after(PONG_WITHIN_MS, () => {
      if (!this.#hasHeard) return dead();
      this.#callOff = this.surroundings.after(PING_EVERY_MS - PONG_WITHIN_MS, () => this.start(ping, dead));
    });
  }

  stop(): void {
    this.#callOff?.();
    this.#callOff = undefined;
  }
}
