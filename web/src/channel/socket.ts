// The one WebSocket of this thread to the Hub's relay, shared by the channels of all Workers. It comes
// back by itself while anybody wants it: with back-off and jitter, or when the Hub says.

import { bytesToHex, type Bytes } from '../crypto/wire';
import { Alarm } from './alarm';
import { Backoff, STEADY_MS } from './backoff';
import { type ControlBody, type Frame, decodeOuter } from './outer';
import { type Surroundings, type Wire, draw } from './surroundings';

const CONNECT_TIMEOUT_MS = 10_000;
/** The socket takes no more before it has sent down to this. */
const BUFFERED_MAX = 1024 * 1024;
const DRAIN_POLL_MS = 10;
const FOREIGN_MAX = 16;
const CLOSED_GRACE_MS = 30_000;
const REMEMBERED_MAX = 1024;

/** A channel as the socket sees it. */
export interface Route {
  receiveControl(body: ControlBody): void;
  receiveFrame(frame: Frame): void;
  pollOutgoing(): Bytes | undefined;
  /** The socket under it went away. */
  lost(): void;
}

export interface SocketListener {
  onOpen(): void;
  /** `retryAt` is when the next attempt is made. */
  onDown(retryAt: number, reason: string): void;
}

export class Socket {
  #wire: Wire | undefined;
  #isOpen = false;
  #wanted = false;
  #callOff: (() => void) | undefined;
  #draining: (() => void) | undefined;
  #hint = 0;
  #foreign = 0;
  #heardAt = -Infinity;
  #retryAt: number | undefined;
  readonly #backoff = new Backoff();
  readonly #steady: Alarm;
  readonly #routes = new Map<string, Route>();
  readonly #closed = new Map<string, number>();

  constructor(private readonly surroundings: Surroundings, private readonly listener: SocketListener) {
    this.#steady = new Alarm(surroundings.after);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** When the next attempt is made, while it waits. */
  get retryAt(): number | undefined {
    return this.#retryAt;
  }

  want(): void {
    this.#wanted = true;
    if (!this.#wire && !this.#callOff) this.#connect();
  }

  /** The network is back, or a person is impatient. */
  retryNow(): void {
    if (!this.#wanted || this.#wire) return;
    this.#connect();
  }

  /** The path is dead although the socket has not noticed. */
  abandon(): void {
    this.#down('connection_lost');
  }

  /** Nothing at all came for so many milliseconds. */
  isSilentFor(milliseconds: number): boolean {
    return this.surroundings.now() - this.#heardAt >= milliseconds;
  }

  stop(): void {
    this.#wanted = false;
    this.#callOff?.();
    this.#callOff = undefined;
    const wire = this.#wire;
    this.#forgetWire();
    wire?.close();
  }

  attach(channelId: Bytes, route: Route): void {
    this.#routes.set(bytesToHex(channelId), route);
  }

  /** The channel has ended: its last words, a Close, go out whatever waits. */
  detach(channelId: Bytes): void {
    const name = bytesToHex(channelId);
    const route = this.#routes.get(name);
    if (!route) return;
    this.#routes.delete(name);
    for (let last = route.pollOutgoing(); last && this.#isOpen; last = route.pollOutgoing()) this.#wire?.send(last);
    this.#closed.set(name, this.surroundings.now());
    const oldest = this.#closed.keys().next();
    if (this.#closed.size > REMEMBERED_MAX && !oldest.done) this.#closed.delete(oldest.value);
  }

  /** Hands everything that is due to the socket, channels in turn, as long as it keeps up. */
  pump(): void {
    const wire = this.#wire;
    if (!wire || !this.#isOpen || this.#draining) return;
    for (let sent = true; sent;) {
      sent = false;
      for (const route of [...this.#routes.values()]) {
        if (wire.bufferedAmount > BUFFERED_MAX) return this.#drainLater();
        const message = route.pollOutgoing();
        if (message) wire.send(message);
        sent ||= message !== undefined;
      }
    }
  }

  /** A browser does not say when a socket has drained, so it is asked again. */
  #drainLater(): void {
    this.#draining = this.surroundings.after(DRAIN_POLL_MS, () => {
      this.#draining = undefined;
      this.pump();
    });
  }

  #connect(): void {
    this.#callOff?.();
    this.#retryAt = undefined;
    this.#callOff = this.surroundings.after(CONNECT_TIMEOUT_MS, () => this.#down('unreachable'));
    const alive = () => this.#wire === wire;
    const wire: Wire = this.surroundings.connect({
      onOpen: () => alive() && this.#opened(),
      onMessage: (message) => alive() && this.#receive(message),
      onClose: () => alive() && this.#down(this.#isOpen ? 'connection_lost' : 'unreachable'),
    });
    this.#wire = wire;
  }

  #opened(): void {
    this.#callOff?.();
    this.#callOff = undefined;
    this.#isOpen = true;
    this.#foreign = 0;
    this.#heardAt = this.surroundings.now();
    this.#steady.set(STEADY_MS, () => this.#backoff.reset());
    this.listener.onOpen();
  }

  #receive(message: Bytes): void {
    this.#heardAt = this.surroundings.now();
    const outer = decodeOuter(message);
    if (!outer) return this.#down('protocol_error');
    if (outer.kind === 'frame') {
      this.#route(outer.frame.channelId)?.receiveFrame(outer.frame);
      return;
    }
    const { body } = outer;
    if (body.case === 'goodbye') {
      this.#hint = body.value.reconnectAfterMs;
      return this.#down('draining');
    }
    if (body.case !== undefined) this.#route((body.value as { channelId: Bytes }).channelId)?.receiveControl(body);
  }

  #route(channelId: Bytes): Route | undefined {
    const name = bytesToHex(channelId);
    const route = this.#routes.get(name);
    if (route) return route;
    const closedAt = this.#closed.get(name) ?? -Infinity;
    if (this.surroundings.now() - closedAt > CLOSED_GRACE_MS && ++this.#foreign >= FOREIGN_MAX) this.#down('foreign_channel');
    return undefined;
  }

  #forgetWire(): void {
    this.#wire = undefined;
    this.#isOpen = false;
    this.#steady.clear();
    this.#draining?.();
    this.#draining = undefined;
  }

  #down(reason: string): void {
    const wire = this.#wire;
    if (!wire) return;
    this.#forgetWire();
    wire.close();
    this.#callOff?.();
    this.#callOff = undefined;
    for (const route of [...this.#routes.values()]) route.lost();
    if (this.#wanted) this.#retryLater(reason);
  }

  #retryLater(reason: string): void {
    const wait = this.#backoff.next(draw(this.surroundings.random), this.#hint);
    this.#hint = 0;
    this.#retryAt = this.surroundings.now() + wait;
    this.#callOff = this.surroundings.after(wait, () => {
      this.#callOff = undefined;
      this.#connect();
    });
    this.listener.onDown(this.#retryAt, reason);
  }
}
