// Measures the way to the Worker, and notices a path that is dead without saying so (a laptop that
// slept, a network that changed, a Worker that hangs).

import { Alarm } from './alarm';
import { STEADY_MS } from './backoff';
import type { Session } from './session';
import type { Socket } from './socket';
import type { Surroundings } from './surroundings';

const PING_EVERY_MS = 15_000;
const PONG_WITHIN_MS = 10_000;

export class Heartbeat {
  #callOff: (() => void) | undefined;
  #hasHeard = false;
  readonly #steady: Alarm;

  /** `onSteady`: the channel has stood for a while. */
  constructor(private readonly surroundings: Surroundings, private readonly socket: Socket, private readonly onSteady: () => void) {
    this.#steady = new Alarm(surroundings.after);
  }

  /** Anything at all that came from the Worker. */
  heard(): void {
    this.#hasHeard = true;
  }

  start(session: Session, pump: () => void): void {
    this.stop();
    this.#steady.set(STEADY_MS, this.onSteady);
    this.#beat(session, pump);
  }

  #beat(session: Session, pump: () => void): void {
    this.#hasHeard = false;
    session.ping();
    pump();
    this.#callOff = this.surroundings.after(PONG_WITHIN_MS, () => {
      if (!this.#hasHeard) return this.#dead(session, pump);
      this.#callOff = this.surroundings.after(PING_EVERY_MS - PONG_WITHIN_MS, () => this.#beat(session, pump));
    });
  }

  stop(): void {
    this.#steady.clear();
    this.#callOff?.();
    this.#callOff = undefined;
  }

  /** The whole socket, or only this Worker's part of the way. */
  #dead(session: Session, pump: () => void): void {
    if (this.socket.isSilentFor(PONG_WITHIN_MS)) return this.socket.abandon();
    session.lost(this.surroundings.now(), true);
    pump();
  }
}
