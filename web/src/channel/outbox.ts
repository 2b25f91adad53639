// Whose turn it is. Every request or stream has a lane in which messages keep their order; lanes take
// turns frame by frame, small messages first up to a few in a row. One long message at a time is
// between its chunks; single frames pass in between. So no keystroke waits behind a file.

import type { Bytes } from '../crypto/wire';
import { Splitter } from './chunks';

export interface Departure { correlation: bigint; flags: number; plaintext: Bytes; lane: number; streamBytes: number }

interface Waiting { content: Splitter; streamBytes: number; correlation: bigint | undefined }

const SMALL_BYTES = 4_096;
const SMALL_IN_A_ROW = 16;

export class Outbox {
  #correlation = 0n;
  #credits: Bytes[] = [];
  readonly #lanes = new Map<number, Waiting[]>();
  #turns: number[] = [];
  #between: number | undefined;
  #smallInARow = 0;

  nextCorrelation(): bigint {
    return ++this.#correlation;
  }

  /** Credit never waits behind payload. */
  pushCredit(content: Bytes): void {
    this.#credits.push(content);
  }

  push(lane: number, content: Bytes, streamBytes = 0): void {
    const waiting = this.#lanes.get(lane) ?? [];
    if (waiting.length === 0) this.#turns.push(lane);
    waiting.push({ content: new Splitter(content), streamBytes, correlation: undefined });
    this.#lanes.set(lane, waiting);
  }

  /** Forgets what the lane has not begun to send. */
  purge(lane: number): void {
    const kept = (this.#lanes.get(lane) ?? []).filter((message) => message.correlation !== undefined);
    if (kept.length > 0) {
      this.#lanes.set(lane, kept);
      return;
    }
    this.#lanes.delete(lane);
    this.#turns = this.#turns.filter((turn) => turn !== lane);
  }

  next(): Departure | undefined {
    const credit = this.#credits.shift();
    if (credit) return { correlation: this.nextCorrelation(), flags: 0, plaintext: credit, lane: 0, streamBytes: 0 };
    const lane = this.#choose();
    return lane === undefined ? undefined : this.#depart(lane);
  }

  get isEmpty(): boolean {
    return this.#credits.length === 0 && this.#turns.length === 0;
  }

  clear(): void {
    this.#credits = [];
    this.#lanes.clear();
    this.#turns = [];
    this.#between = undefined;
  }

  #choose(): number | undefined {
    const small = this.#turns.find((lane) => this.#isSmall(lane));
    if (small !== undefined && this.#smallInARow < SMALL_IN_A_ROW) {
      this.#smallInARow += 1;
      return small;
    }
    this.#smallInARow = 0;
    return this.#turns.find((lane) => this.#mayGo(lane) && !this.#isSmall(lane)) ?? small;
  }

  #depart(lane: number): Departure | undefined {
    const waiting = this.#lanes.get(lane);
    const message = waiting?.[0];
    if (!waiting || !message) return undefined;
    const correlation = message.correlation ??= this.nextCorrelation();
    const chunk = message.content.next();
    const more = message.content.isBetweenChunks;
    if (!more) waiting.shift();
    if (more) this.#between = lane;
    else if (this.#between === lane) this.#between = undefined;
    this.#turns = this.#turns.filter((turn) => turn !== lane);
    if (waiting.length > 0) this.#turns.push(lane);
    else this.#lanes.delete(lane);
    return { ...chunk, correlation, lane, streamBytes: more ? 0 : message.streamBytes };
  }

  #head(lane: number): Splitter | undefined {
    return this.#lanes.get(lane)?.[0]?.content;
  }

  #isSmall(lane: number): boolean {
    const head = this.#head(lane);
    return head !== undefined && head.isSingle && head.remaining <= SMALL_BYTES;
  }

  #mayGo(lane: number): boolean {
    return this.#head(lane)?.isSingle === true || this.#between === undefined || this.#between === lane;
  }
}
