// Requests and streams of one channel: what the page says, what the Worker answers. Sans I/O: it
// fills an outbox and gives events.

import { create, toBinary } from '@bufbuild/protobuf';
import type { Bytes } from '../crypto/wire';
import { type Inner, InnerSchema } from '../gen/leapmux/v1/channel_pb';
import { Streams } from './credit';
import type { CallError } from './door';
import type { Limits } from './limits';
import { Outbox } from './outbox';

export type InnerBody = Inner['body'];
export const encodeInner = (body: InnerBody): Bytes => toBinary(InnerSchema, create(InnerSchema, { body })) as Bytes;

export interface Call { method: string; payload: Uint8Array; opensStream: boolean; workspaceId: string }

export type MuxEvent =
  | { kind: 'answer'; id: number; payload: Bytes }
  | { kind: 'failed'; id: number; error: CallError }
  | { kind: 'stream-data'; id: number; data: Bytes }
  | { kind: 'stream-end'; id: number; error?: CallError };

export const CODE = { invalidArgument: 3, exhausted: 8, failedPrecondition: 9, unavailable: 14 } as const;

/** What waits for credit on one stream, in order; the end waits behind the data. */
interface Backlog { messages: Bytes[]; bytes: number; ending: boolean }

export class Mux {
  readonly outbox = new Outbox();
  readonly #streams: Streams;
  readonly #owed = new Set<number>();
  readonly #backlogs = new Map<number, Backlog>();
  /** Calls beyond what a Worker takes at once; their ids are reserved in order. */
  #waiting: { id: number; call: Call }[] = [];
  #nextId = 1;
  readonly events: MuxEvent[] = [];

  constructor(private readonly limits: Limits, private readonly messageBytes: number) {
    this.#streams = new Streams(limits);
  }

  /** The id of the call, or why it cannot be made. */
  request(call: Call): number | CallError {
    if (call.payload.length + call.method.length + 128 > this.messageBytes) {
      return { code: CODE.invalidArgument, message: 'the request is too large' };
    }
    if (this.#waiting.length >= this.limits.waitingRequests) return { code: CODE.exhausted, message: 'too many requests' };
    const streams = this.#streams.size + this.#waiting.filter((waiting) => waiting.call.opensStream).length;
    if (call.opensStream && streams >= this.limits.streams) return { code: CODE.exhausted, message: 'too many streams' };
    const id = this.#nextId++;
    this.#waiting.push({ id, call });
    this.#begin();
    return id;
  }

  streamSend(id: number, data: Bytes): void {
    const backlog = this.#backlogs.get(id);
    if (!backlog || backlog.ending) return;
    const tooMuch = data.length > this.limits.streamMessage || backlog.bytes + data.length > this.limits.waitingStreamBytes;
    if (tooMuch) {
      this.cancel(id);
      this.events.push({ kind: 'stream-end', id, error: { code: CODE.exhausted, message: 'the stream is too slow' } });
      return;
    }
    backlog.messages.push(data);
    backlog.bytes += data.length;
    this.#flush(id, backlog);
  }

  streamEnd(id: number): void {
    const backlog = this.#backlogs.get(id);
    if (!backlog || backlog.ending) return;
    backlog.ending = true;
    this.#flush(id, backlog);
  }

  streamConsumed(id: number, bytes: number): void {
    const total = this.#streams.consumed(id, bytes);
    if (total !== undefined) {
      this.outbox.pushCredit(encodeInner({ case: 'credit', value: { $typeName: 'leapmux.v1.Credit', id: BigInt(id), total: BigInt(total) } }));
    }
  }

  cancel(id: number): void {
    this.#waiting = this.#waiting.filter((waiting) => waiting.id !== id);
    const known = this.#owed.delete(id);
    const streamed = this.#drop(id);
    if (known || streamed) {
      this.outbox.purge(id);
      this.outbox.push(id, encodeInner({ case: 'cancel', value: { $typeName: 'leapmux.v1.Cancel', id: BigInt(id) } }));
    }
    this.#begin();
  }

  /** What the Worker said. False if it broke a rule. */
  heed(body: InnerBody): boolean {
    switch (body.case) {
      case 'response': return this.#heedResponse(Number(body.value.id), body.value.result);
      case 'streamData': return this.#heedData(Number(body.value.id), body.value.data as Bytes);
      case 'streamEnd': return this.#heedEnd(Number(body.value.id), body.value.error);
      case 'credit': return this.#heedCredit(Number(body.value.id), Number(body.value.total));
      default: return false;
    }
  }

  /** The channel is over: everything open ends with this error. */
  fail(error: CallError): void {
    const streams = new Set(this.#backlogs.keys());
    const calls = [...this.#owed, ...this.#waiting.map((waiting) => waiting.id)].filter((id) => !streams.has(id));
    calls.forEach((id) => this.events.push({ kind: 'failed', id, error }));
    streams.forEach((id) => this.events.push({ kind: 'stream-end', id, error }));
    this.#owed.clear();
    this.#backlogs.clear();
    this.#waiting = [];
    this.#streams.clear();
    this.outbox.clear();
  }

  #begin(): void {
    while (this.#owed.size < this.limits.requests) {
      const next = this.#waiting.shift();
      if (!next) return;
      const { id, call } = next;
      this.#owed.add(id);
      this.outbox.push(id, encodeInner({ case: 'request', value: { $typeName: 'leapmux.v1.Request', id: BigInt(id), ...call } }));
      if (call.opensStream) {
        this.#streams.begin(id);
        const backlog = this.#backlogs.get(id);
        if (backlog) this.#flush(id, backlog);
      }
    }
  }

  /** Whether the id was ever given out: late words about what is over are no breach. */
  #isKnown(id: number): boolean {
    return id >= 1 && id < this.#nextId;
  }

  /** The page's stream exists from its request on, whether or not the request has gone out. */
  openStream(call: Omit<Call, 'opensStream'>): number | CallError {
    const id = this.request({ ...call, opensStream: true });
    if (typeof id === 'number') this.#backlogs.set(id, { messages: [], bytes: 0, ending: false });
    return id;
  }

  #flush(id: number, backlog: Backlog): void {
    while (backlog.messages.length > 0 && this.#streams.covers(id, backlog.messages[0]!.length)) {
      const data = backlog.messages.shift()!;
      backlog.bytes -= data.length;
      this.#streams.sent(id, data.length);
      this.outbox.push(id, encodeInner({ case: 'streamData', value: { $typeName: 'leapmux.v1.StreamData', id: BigInt(id), data } }), data.length);
    }
    if (backlog.ending && backlog.messages.length === 0 && this.#streams.endHere(id)) {
      this.outbox.push(id, encodeInner({ case: 'streamEnd', value: { $typeName: 'leapmux.v1.StreamEnd', id: BigInt(id) } }));
    }
  }

  #drop(id: number): boolean {
    this.#backlogs.delete(id);
    return this.#streams.remove(id);
  }

  #heedResponse(id: number, result: { case: 'payload'; value: Uint8Array } | { case: 'error'; value: CallError } | { case: undefined; value?: undefined }): boolean {
    if (!this.#isKnown(id) || result.case === undefined) return false;
    if (!this.#owed.delete(id)) return true;
    this.#begin();
    const streams = this.#backlogs.has(id);
    if (result.case === 'payload') {
      if (!streams) this.events.push({ kind: 'answer', id, payload: result.value as Bytes });
      return true;
    }
    const error = { code: result.value.code, message: result.value.message };
    this.#drop(id);
    this.outbox.purge(id);
    this.events.push(streams ? { kind: 'stream-end', id, error } : { kind: 'failed', id, error });
    return true;
  }

  #heedData(id: number, data: Bytes): boolean {
    if (!this.#streams.has(id)) return this.#isKnown(id);
    if (!this.#streams.received(id, data.length)) return false;
    this.events.push({ kind: 'stream-data', id, data });
    return true;
  }

  #heedEnd(id: number, error: CallError | undefined): boolean {
    if (!this.#streams.has(id)) return this.#isKnown(id);
    if (!this.#streams.endThere(id)) return false;
    // The page has nothing more to say to a stream that ended there.
    const backlog = this.#backlogs.get(id);
    this.#backlogs.delete(id);
    if (error) this.#drop(id);
    else if (backlog && this.#streams.endHere(id)) {
      this.outbox.push(id, encodeInner({ case: 'streamEnd', value: { $typeName: 'leapmux.v1.StreamEnd', id: BigInt(id) } }));
    }
    this.events.push(error ? { kind: 'stream-end', id, error: { code: error.code, message: error.message } } : { kind: 'stream-end', id });
    return true;
  }

  #heedCredit(id: number, total: number): boolean {
    if (!this.#streams.has(id)) return this.#isKnown(id);
    if (!this.#streams.credited(id, total)) return false;
    const backlog = this.#backlogs.get(id);
    if (backlog) this.#flush(id, backlog);
    return true;
  }
}
