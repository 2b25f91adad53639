// One timer that is set anew or called off.

import type { Surroundings } from './surroundings';

export class Alarm {
  #callOff: (() => void) | undefined;

  constructor(private readonly after: Surroundings['after']) {}

  get isSet(): boolean {
    return this.#callOff !== undefined;
  }

  set(milliseconds: number, ring: () => void): void {
    this.clear();
    this.#callOff = this.after(Math.max(0, milliseconds), () => {
      this.#callOff = undefined;
      ring();
    });
  }

  clear(): void {
    this.#callOff?.();
    this.#callOff = undefined;
  }
}
