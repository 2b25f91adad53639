// Measures the way to the Worker, and notices a path that is dead without saying so (a laptop that
// slept, a network that changed).

import type { Surroundings } from './surroundings';

const PING_EVERY_MS = 15_000;
const PONG_WITHIN_MS = 10_000;

export interface Beating {
  ping(): void;
  dead(): void;
}

export class Heartbeat {
  #callOff: (() => void) | undefined;
  #heardAt = 0;

  constructor(private readonly surroundings: Surroundings) {}

  /** Anything at all that came from the Worker. */
  heard(): void {
    this.#heardAt = this.surroundings.now();
  }

  start(beating: Beating): void {
    this.stop();
    const asked = this.surroundings.now();
    beating.ping();
    this.#callOff = this.surroundings.after(PONG_WITHIN_MS, () => {
      if (this.#heardAt < asked) return beating.dead();
      this.#callOff = this.surroundings.after(PING_EVERY_MS - PONG_WITHIN_MS, () => this.start(beating));
    });
  }

  stop(): void {
    this.#callOff?.();
    this.#callOff = undefined;
  }
}
