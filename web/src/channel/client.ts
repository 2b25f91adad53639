// All channels of this thread, and what the page asks of them.

import { fullFingerprint } from '../crypto/fingerprint';
import type { Bytes } from '../crypto/wire';
import type { PinRecord, ToThread } from './door';
import { work } from './key-work';
import type { Pin } from './pins';
import { Socket } from './socket';
import type { Surroundings } from './surroundings';
import { LOST } from './traffic';
import { WorkerChannel } from './worker-channel';

const OTHER_KEY = { code: 9, message: 'another key is kept by now' };

export class Client {
  readonly #channels = new Map<string, WorkerChannel>();
  /** Which Worker a stream of the page belongs to. */
  readonly #streams = new Map<number, WorkerChannel>();
  readonly #socket: Socket;

  constructor(private readonly surroundings: Surroundings) {
    this.#socket = new Socket(surroundings, {
      onOpen: () => this.#channels.forEach((channel) => channel.onSocketOpen()),
      onDown: (retryAt, reason) => this.#channels.forEach((channel) => channel.onSocketDown(retryAt, reason)),
    });
  }

  /** The network is back. */
  online(): void {
    this.#socket.retryNow();
  }

  receive(message: Exclude<ToThread, { kind: 'trust-answer' }>): void {
    switch (message.kind) {
      case 'open': return this.#channel(message.workerId).open(message.userId);
      case 'review': return this.#channels.get(message.workerId)?.review();
      case 'close': return this.#close(message.workerId);
      case 'call': return this.#ask(message, false);
      case 'stream': return this.#ask(message, true);
      case 'stream-send': return this.#onStream(message.id, (channel) => channel.traffic.send(message.id, message.data as Bytes));
      case 'stream-end': return this.#onStream(message.id, (channel) => channel.traffic.finish(message.id));
      case 'stream-cancel': return this.#onStream(message.id, (channel) => {
        this.#streams.delete(message.id);
        channel.traffic.cancel(message.id);
      });
      case 'stream-consumed': return this.#onStream(message.id, (channel) => channel.traffic.consumed(message.id, message.bytes));
      case 'work': return this.#answer(message.id, async () =>
        ({ kind: 'worked', id: message.id, answer: await work(this.surroundings, message.work, message.asked) }));
      case 'pins': return this.#answer(message.id, async () => ({ kind: 'pins', id: message.id, pins: await this.#pins() }));
      case 'forget-pin': return this.#change(message.id, message.workerId, (store) => store.forget(message.workerId));
      case 'mark-verified': return this.#change(message.id, message.workerId, (store) => store.markVerified(message.workerId, message.full));
    }
  }

  /** The page was told that a stream is over. */
  forgetStream(id: number): void {
    this.#streams.delete(id);
  }

  #channel(workerId: string): WorkerChannel {
    const known = this.#channels.get(workerId);
    if (known) return known;
    const made = new WorkerChannel(workerId, this.surroundings, this.#socket);
    this.#channels.set(workerId, made);
    return made;
  }

  #close(workerId: string): void {
    this.#channels.get(workerId)?.close();
    if (![...this.#channels.values()].some((channel) => channel.isWanted)) this.#socket.stop();
  }

  #ask(message: Extract<ToThread, { kind: 'call' | 'stream' }>, opensStream: boolean): void {
    const { id, workerId, method, payload, workspaceId } = message;
    const channel = this.#channels.get(workerId);
    if (!channel) {
      const { tell } = this.surroundings;
      return opensStream ? tell({ kind: 'stream-end', id, error: LOST }) : tell({ kind: 'failed', id, error: LOST });
    }
    if (opensStream) this.#streams.set(id, channel);
    channel.traffic.ask(id, { method, payload, opensStream, workspaceId }, channel.isOpening);
    channel.pump();
  }

  #onStream(id: number, use: (channel: WorkerChannel) => void): void {
    const channel = this.#streams.get(id);
    if (!channel) return;
    use(channel);
    channel.pump();
  }

  async #pins(): Promise<PinRecord[]> {
    const pins = await (await this.surroundings.pins()).all();
    return pins.map(recordOf);
  }

  #change(id: number, workerId: string, change: (store: Awaited<ReturnType<Surroundings['pins']>>) => Promise<unknown>): void {
    this.#answer(id, async () => {
      const changed = await change(await this.surroundings.pins());
      await this.#channels.get(workerId)?.refresh();
      return changed === false ? { kind: 'failed', id, error: OTHER_KEY } : { kind: 'done', id };
    });
  }

  #answer(id: number, make: () => Promise<Parameters<Surroundings['tell']>[0]>): void {
    const failed = { kind: 'failed', id, error: { code: 13, message: 'the browser’s storage failed' } } as const;
    void make().catch(() => failed).then((message) => this.surroundings.tell(message));
  }
}

function recordOf(pin: Pin): PinRecord {
  const { workerId, words, mode, firstSeen, lastUsed, verified, label } = pin;
  return { workerId, words, full: fullFingerprint(pin.publicKey), mode, firstSeen, lastUsed, verified, label };
}
