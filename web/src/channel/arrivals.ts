// What comes in, from opened frame to logical message: judged, counted, put together, decoded.

import { fromBinary } from '@bufbuild/protobuf';
import type { Bytes } from '../crypto/wire';
import { InnerSchema } from '../gen/leapmux/v1/channel_pb';
import { Joiner } from './chunks';
import type { Limits } from './limits';
import type { InnerBody } from './mux';
import type { Frame } from './outer';
import { CloseReason } from './reasons';
import { type Place, Tally } from './tally';
import { Receipts } from './window';

export class Arrivals {
  readonly receipts: Receipts;
  readonly #tally: Tally;
  readonly #joiner = new Joiner();
  #pausedAt: number | undefined;

  constructor(limits: Limits, messageBytes: number) {
    this.receipts = new Receipts(limits);
    this.#tally = new Tally(limits, messageBytes);
  }

  /** Before it is opened. */
  judge(frame: Frame, now: number): Place | CloseReason {
    const place = this.#tally.admit(frame, now);
    return typeof place === 'string' ? place : place.breach;
  }

  /** A logical message once it is whole; undefined while it is not; or why the channel closes. */
  take(place: Place, plaintext: Bytes, now: number): InnerBody | CloseReason | undefined {
    if (place !== 'whole') this.receipts.count(plaintext.length, now);
    const message = this.#joiner.join(place, plaintext);
    if (!message) return undefined;
    const body = decode(message);
    const counted = body.case !== undefined && !UNCOUNTED.has(body.case);
    // A chunk was counted as it came; its sender counts by content. The two must not disagree.
    if (body.case === undefined || (place !== 'whole' && !counted)) return CloseReason.PROTOCOL_ERROR;
    if (place === 'whole' && counted) this.receipts.count(message.length, now);
    return body;
  }

  /** Nothing can come until `resume`: the clock of an unfinished message stands still. */
  pause(now: number): void {
    this.#pausedAt ??= now;
  }

  resume(now: number): void {
    if (this.#pausedAt !== undefined) this.#tally.forgive(now - this.#pausedAt);
    this.#pausedAt = undefined;
  }

  /** When an unfinished message counts as stalled. */
  get deadline(): number | undefined {
    return this.#pausedAt === undefined ? this.#tally.deadline : undefined;
  }

  clear(): void {
    this.#joiner.clear();
  }
}

const UNCOUNTED = new Set<InnerBody['case']>(['claim', 'claimAccepted', 'failure', 'ping', 'pong', 'ack']);

function decode(message: Bytes): InnerBody {
  try {
    return fromBinary(InnerSchema, message).body;
  } catch {
    return { case: undefined };
  }
}
