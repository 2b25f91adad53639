// The page's calls and streams of one Worker, by the page's ids. What is asked for while the channel is
// being opened waits, within a bound; what is open when the channel goes away ends with an error.

import type { Bytes } from '../crypto/wire';
import type { CallError, FromThread } from './door';
import { CODE, type Call, type Mux, type MuxEvent } from './mux';

const WAITING_MAX = 64;
const WAITING_BYTES = 1024 * 1024;

export const LOST: CallError = { code: CODE.unavailable, message: 'connection lost' };

interface Waiting { id: number; call: Call; input: Bytes[]; bytes: number; ending: boolean }
type Tell = (message: FromThread, transfer?: Transferable[]) => void;

export class Traffic {
  #mux: Mux | undefined;
  readonly #inner = new Map<number, number>();
  readonly #outer = new Map<number, { id: number; opensStream: boolean }>();
  #waiting: Waiting[] = [];

  constructor(private readonly tell: Tell) {}

  /** The channel is ready: what waited goes first. */
  begin(mux: Mux): void {
    this.#mux = mux;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { id, call, input, ending } of waiting) {
      this.#start(mux, id, call);
      const inner = this.#inner.get(id);
      if (inner === undefined) continue;
      input.forEach((data) => mux.streamSend(inner, data));
      if (ending) mux.streamEnd(inner);
    }
  }

  /** The channel is over and its events have been told; or it cannot be opened. */
  end(error: CallError): void {
    this.#mux = undefined;
    this.#waiting.forEach(({ id, call }) => this.#finish(id, call.opensStream, error));
    this.#outer.forEach(({ id, opensStream }) => this.#finish(id, opensStream, error));
    this.#waiting = [];
    this.#inner.clear();
    this.#outer.clear();
  }

  /** What nobody will ever answer fails at once. */
  ask(id: number, call: Call, mayWait: boolean): void {
    if (this.#mux) return this.#start(this.#mux, id, call);
    if (!mayWait) return this.#finish(id, call.opensStream, LOST);
    if (this.#waiting.length >= WAITING_MAX) return this.#finish(id, call.opensStream, { code: CODE.exhausted, message: 'too many requests' });
    this.#waiting.push({ id, call, input: [], bytes: 0, ending: false });
  }

  send(id: number, data: Bytes): void {
    const inner = this.#inner.get(id);
    if (inner !== undefined) return this.#mux?.streamSend(inner, data);
    const waiting = this.#waiting.find((entry) => entry.id === id);
    if (!waiting || waiting.ending) return;
    waiting.bytes += data.length;
    if (waiting.bytes <= WAITING_BYTES) waiting.input.push(data);
    else {
      this.#waiting = this.#waiting.filter((entry) => entry !== waiting);
      this.#finish(id, true, { code: CODE.exhausted, message: 'the stream is too slow' });
    }
  }

  finish(id: number): void {
    const inner = this.#inner.get(id);
    if (inner !== undefined) return this.#mux?.streamEnd(inner);
    const waiting = this.#waiting.find((entry) => entry.id === id);
    if (waiting) waiting.ending = true;
  }

  cancel(id: number): void {
    this.#waiting = this.#waiting.filter((entry) => entry.id !== id);
    const inner = this.#inner.get(id);
    if (inner === undefined) return;
    this.#forget(inner);
    this.#mux?.cancel(inner);
  }

  /** The page's stream may be over while it still consumes: that is no error. */
  consumed(id: number, bytes: number): void {
    const inner = this.#inner.get(id);
    if (inner !== undefined) this.#mux?.streamConsumed(inner, bytes);
  }

  heed(event: MuxEvent): void {
    const open = this.#outer.get(event.id);
    if (!open) return;
    const { id } = open;
    switch (event.kind) {
      case 'stream-data': {
        const data = event.data.slice();
        return this.tell({ kind: 'stream-data', id, data }, [data.buffer]);
      }
      case 'answer': {
        this.#forget(event.id);
        const payload = event.payload.slice();
        return this.tell({ kind: 'answer', id, payload }, [payload.buffer]);
      }
      case 'failed':
      case 'stream-end':
        this.#forget(event.id);
        return this.#finish(id, open.opensStream, event.error);
    }
  }

  #start(mux: Mux, id: number, call: Call): void {
    const inner = call.opensStream ? mux.openStream(call) : mux.request(call);
    if (typeof inner !== 'number') return this.#finish(id, call.opensStream, inner);
    this.#inner.set(id, inner);
    this.#outer.set(inner, { id, opensStream: call.opensStream });
  }

  #forget(inner: number): void {
    const open = this.#outer.get(inner);
    this.#outer.delete(inner);
    if (open) this.#inner.delete(open.id);
  }

  #finish(id: number, opensStream: boolean, error: CallError | undefined): void {
    if (opensStream) this.tell(error ? { kind: 'stream-end', id, error } : { kind: 'stream-end', id });
    else this.tell({ kind: 'failed', id, error: error ?? LOST });
  }
}
