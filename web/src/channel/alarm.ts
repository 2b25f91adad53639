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

  /** At that moment on the clock that says `now`; undefined: not at all. */
  setAt(moment: number | undefined, now: number, ring: () => void): void {
    if (moment === undefined) this.clear();
    else this.set(moment - now, ring);
  }

  clear(): void {
    this.#callOff?.();
    this.#callOff = undefined;
  }
}
