// One channel at the client, sans I/O: opening -> securing -> proving the user -> ready -> closed.
// An input (a message, the time, a call of the page) changes the state; then `pollOutgoing` and
// `pollEvent` are asked until they have nothing more, and `deadline` says when to `expire`. Frames are
// sealed as they are taken out, so sealing and queueing are one step.

import { create, toBinary } from '@bufbuild/protobuf';
import { drawRandomness } from '../crypto/exchange';
import { AwaitingReply } from '../crypto/handshake';
import type { Mode } from '../crypto/mode';
import { prologue } from '../crypto/prologue';
import type { PublicKey } from '../crypto/public-key';
import { type SignedParts, claimContext } from '../crypto/signed';
import type { Bytes, RandomSource } from '../crypto/wire';
import { type Signed, UserIdClaimSchema } from '../gen/leapmux/v1/channel_pb';
import { Arrivals } from './arrivals';
import { Epoch } from './epoch';
import { type Limits, LIMITS, messageLimit } from './limits';
import { CODE, type InnerBody, Mux, type MuxEvent, encodeInner } from './mux';
import { type ControlBody, type Frame, encodeControl } from './outer';
import { CloseReason, closeLabel, failureLabel, refusalLabel } from './reasons';
import { Window } from './window';

export type Phase = 'opening' | 'signing' | 'proving' | 'ready' | 'closed';

export interface Ending {
  /** Label of a close, refusal or failure. */
  reason: string;
  detail?: string;
  /** The other end's wish when to try again. */
  retryAfter?: number;
}

export type SessionEvent =
  | MuxEvent
  /** Sign `body` under `context` with the device's key and hand it to `prove`. */
  | { kind: 'sign'; context: Bytes; body: Bytes }
  | { kind: 'ready' }
  | { kind: 'pong'; rtt: number }
  | { kind: 'renewal-due' }
  | { kind: 'closed'; ending: Ending };

export interface SessionParts {
  mode: Mode; workerKey: PublicKey; channelId: Bytes; workerId: string; userId: string;
  random: RandomSource; now: number; limits?: Limits;
}

export class Session {
  readonly channelId: Bytes;
  phase: Phase = 'opening';
  mux: Mux;
  readonly #limits: Limits;
  readonly #parts: SessionParts;
  #awaiting: AwaitingReply | undefined;
  #epoch: Epoch | undefined;
  #arrivals: Arrivals;
  readonly #window: Window;
  #ready: Bytes[] = [];
  #events: SessionEvent[] = [];
  #until: number | undefined;
  #born: number;
  #renewal: number | undefined;
  #claim: Bytes | undefined;
  #pongs: bigint[] = [];
  #ping: { nonce: bigint; at: number } | undefined;
  #pingWanted = false;

  constructor(parts: SessionParts) {
    const limits = parts.limits ?? LIMITS;
    this.#limits = limits;
    this.#parts = parts;
    this.channelId = parts.channelId;
    this.mux = new Mux(limits, limits.messageBytes);
    this.#arrivals = new Arrivals(limits, limits.messageBytes);
    this.#window = new Window(limits);
    this.#born = parts.now;
    this.#until = parts.now + limits.openTimeout;
    const agreed = prologue(parts.mode, parts.channelId, parts.workerId, parts.userId);
    this.#awaiting = new AwaitingReply(parts.mode, agreed, parts.workerKey, drawRandomness(parts.random));
    this.#control({
      case: 'open',
      value: {
        $typeName: 'leapmux.v1.Open', channelId: parts.channelId, workerId: parts.workerId,
        noise: this.#awaiting.message1, workspaces: [], maxMessageBytes: 0,
      },
    });
  }

  // What comes in.

  receiveControl(body: ControlBody, now: number): void {
    if (this.phase === 'closed') return;
    switch (body.case) {
      case 'opened': return this.#heedOpened(body.value.noise as Bytes, body.value.maxMessageBytes, now);
      case 'refused':
        if (this.phase === 'opening' && body.value.serial === 0) {
          this.#end({ reason: refusalLabel(body.value.reason), retryAfter: body.value.retryAfterMs });
        }
        return;
      case 'close':
        if (body.value.epoch >= this.#epochNumber) this.#end({ reason: closeLabel(body.value.reason) });
        return;
      default: return this.close(CloseReason.PROTOCOL_ERROR);
    }
  }

  receiveFrame(frame: Frame, now: number): void {
    if (this.phase === 'closed' || frame.epoch < this.#epochNumber) return;
    const epoch = this.#epoch;
    if (!epoch || frame.epoch > epoch.number) return this.close(CloseReason.PROTOCOL_ERROR);
    const place = this.#arrivals.judge(frame, now);
    if (typeof place !== 'string') return this.close(place);
    const plaintext = epoch.open(frame);
    if (!(plaintext instanceof Uint8Array)) return this.close(plaintext);
    if (epoch.wantsRenewal) this.#wantRenewal();
    const body = this.#arrivals.take(place, plaintext, now);
    if (typeof body === 'number') return this.close(body);
    if (body && !this.#heed(body, now)) this.close(CloseReason.PROTOCOL_ERROR);
  }

  /** The signed claim: counter 0 of this epoch. */
  prove(signed: SignedParts, certificates: Signed[], now: number): void {
    if (this.phase !== 'signing') return;
    this.phase = 'proving';
    this.#until = now + this.#limits.answerTimeout;
    this.#claim = encodeInner({
      case: 'claim',
      value: { $typeName: 'leapmux.v1.Claim', signed: { $typeName: 'leapmux.v1.Signed', ...signed }, certificates },
    });
  }

  ping(): void {
    this.#pingWanted = true;
  }

  expire(now: number): void {
    if (this.phase === 'closed') return;
    if ((this.#until ?? Infinity) <= now) this.close(this.phase === 'opening' ? CloseReason.OPEN_TIMEOUT : CloseReason.CLAIM_TIMEOUT);
    else if ((this.#arrivals.deadline ?? Infinity) <= now) this.close(CloseReason.CHUNK_TIMEOUT);
    else if (this.#born + this.#limits.keyAge <= now) this.close(CloseReason.KEY_EXPIRED);
    else if ((this.#renewal ?? Infinity) <= now) this.#wantRenewal();
  }

  close(reason: CloseReason): void {
    if (this.phase === 'closed') return;
    this.#ready = [];
    this.#control({ case: 'close', value: { $typeName: 'leapmux.v1.Close', channelId: this.channelId, epoch: this.#epochNumber, reason } });
    this.#end({ reason: closeLabel(reason) });
  }

  /** The path went away. */
  lost(): void {
    this.#ready = [];
    this.#end({ reason: closeLabel(CloseReason.CONNECTION_LOST) });
  }

  // What goes out.

  /** The next outer message to hand to the socket. */
  pollOutgoing(now: number): Bytes | undefined {
    const ready = this.#ready.shift();
    if (ready) return ready;
    if (this.phase !== 'proving' && this.phase !== 'ready') return undefined;
    const uncounted = this.#uncounted(now);
    if (uncounted) return this.#seal(this.mux.outbox.nextCorrelation(), 0, uncounted) ?? this.#ready.shift();
    // Nothing of the page leaves before the Worker has said that it knows this user.
    if (this.phase !== 'ready' || !this.#window.hasRoom) return undefined;
    const departure = this.mux.outbox.next();
    if (!departure) return undefined;
    const sealed = this.#seal(departure.correlation, departure.flags, departure.plaintext);
    if (sealed) this.#window.sent(departure.plaintext.length);
    return sealed ?? this.#ready.shift();
  }

  pollEvent(): SessionEvent | undefined {
    return this.mux.events.shift() ?? this.#events.shift();
  }

  get deadline(): number | undefined {
    if (this.phase === 'closed') return undefined;
    const acknowledge = this.phase === 'ready' ? this.#arrivals.receipts.deadline : undefined;
    const times = [this.#until, this.#arrivals.deadline, acknowledge, this.#renewal, this.#born + this.#limits.keyAge];
    return Math.min(...times.filter((time) => time !== undefined));
  }

  get #epochNumber(): number {
    return this.#epoch?.number ?? 0;
  }

  // Within.

  #heedOpened(noise: Bytes, announced: number, now: number): void {
    const awaiting = this.#awaiting;
    if (this.phase !== 'opening' || !awaiting) return this.close(CloseReason.PROTOCOL_ERROR);
    this.#awaiting = undefined;
    try {
      this.#epoch = new Epoch(0, this.channelId, awaiting.finish(noise));
    } catch {
      return this.close(CloseReason.HANDSHAKE_FAILED);
    }
    const messageBytes = messageLimit(this.#limits, announced);
    this.mux = new Mux(this.#limits, messageBytes);
    this.#arrivals = new Arrivals(this.#limits, messageBytes);
    this.#born = now;
    const jitter = this.#parts.random(1)[0]! / 256 * this.#limits.keyRenewalJitter;
    this.#renewal = now + this.#limits.keyRenewalAge + jitter;
    this.#until = now + this.#limits.answerTimeout;
    this.phase = 'signing';
    const { userId, workerId } = this.#parts;
    const body = toBinary(UserIdClaimSchema, create(UserIdClaimSchema, { userId })) as Bytes;
    this.#events.push({ kind: 'sign', context: claimContext(this.#epoch.hash, workerId), body });
  }

  /** False if the Worker broke a rule. Before the claim is accepted it may say yes or no, nothing else. */
  #heed(body: InnerBody, now: number): boolean {
    if (body.case === 'failure') {
      this.#end({ reason: failureLabel(body.value.reason), detail: body.value.detail });
      return true;
    }
    if (this.phase !== 'ready') return this.phase === 'proving' && body.case === 'claimAccepted' && this.#becomeReady();
    switch (body.case) {
      case 'ping':
        // One answer at a time is enough: a flood of questions must not grow a queue.
        this.#pongs = [body.value.nonce];
        return true;
      case 'pong': return this.#heedPong(body.value.nonce, now);
      case 'ack': return this.#window.acknowledge(body.value.received);
      default: return this.mux.heed(body);
    }
  }

  #becomeReady(): boolean {
    this.phase = 'ready';
    this.#until = undefined;
    this.#events.push({ kind: 'ready' });
    return true;
  }

  #heedPong(nonce: bigint, now: number): boolean {
    if (this.#ping?.nonce === nonce) {
      this.#events.push({ kind: 'pong', rtt: now - this.#ping.at });
      this.#ping = undefined;
    }
    return true;
  }

  /** What needs no room in the window. The claim is always the first. */
  #uncounted(now: number): Bytes | undefined {
    if (this.#claim) {
      const claim = this.#claim;
      this.#claim = undefined;
      return claim;
    }
    if (this.phase !== 'ready') return undefined;
    const received = this.#arrivals.receipts.takeDue(now);
    if (received !== undefined) return encodeInner({ case: 'ack', value: { $typeName: 'leapmux.v1.Ack', received } });
    const nonce = this.#pongs.shift();
    if (nonce !== undefined) return encodeInner({ case: 'pong', value: { $typeName: 'leapmux.v1.Pong', nonce } });
    if (!this.#pingWanted) return undefined;
    this.#pingWanted = false;
    this.#ping = { nonce: (this.#ping?.nonce ?? 0n) + 1n, at: now };
    return encodeInner({ case: 'ping', value: { $typeName: 'leapmux.v1.Ping', nonce: this.#ping.nonce } });
  }

  #seal(correlation: bigint, flags: number, plaintext: Bytes): Bytes | undefined {
    const sealed = this.#epoch?.seal(correlation, flags, plaintext);
    if (typeof sealed === 'number') {
      this.close(sealed);
      return undefined;
    }
    if (this.#epoch?.wantsRenewal) this.#wantRenewal();
    return sealed;
  }

  #wantRenewal(): void {
    if (this.#renewal === undefined) return;
    this.#renewal = undefined;
    this.#events.push({ kind: 'renewal-due' });
  }

  #control(body: ControlBody): void {
    this.#ready.push(encodeControl(body));
  }

  #end(ending: Ending): void {
    if (this.phase === 'closed') return;
    this.phase = 'closed';
    this.#awaiting?.wipe();
    this.#awaiting = undefined;
    this.#epoch?.wipe();
    this.#epoch = undefined;
    this.#claim = undefined;
    this.#arrivals.clear();
    this.mux.fail({ code: CODE.unavailable, message: 'connection lost' });
    this.#events.push({ kind: 'closed', ending });
  }
}
