// One channel at the client, sans I/O: opening -> signing -> proving the user -> ready -> closed, and
// from ready, on any path, renewing -> signing -> proving -> ready in a new epoch. An input (a message,
// the time, a call of the page) changes the state; then `pollOutgoing` and `pollEvent` are asked until
// they have nothing more, and `deadline` says when to `expire`. Frames are sealed as they are taken out.

import { type SignedParts, claimContext } from '../crypto/signed';
import type { Bytes } from '../crypto/wire';
import type { Signed } from '../gen/leapmux/v1/channel_pb';
import { Arrivals } from './arrivals';
import { Departures } from './departures';
import { Epoch } from './epoch';
import { KeyAge } from './key-age';
import { type Limits, LIMITS, messageLimit } from './limits';
import { CODE, type InnerBody, Mux } from './mux';
import { Opening } from './opening';
import { type ControlBody, type Frame, encodeControl } from './outer';
import { CloseReason, closeLabel, failureLabel, leavesAttachable, refusalLabel, type RefusalReason } from './reasons';
import { Renewals, mayPass } from './renewals';
import { claimBody, claimMessage, closeControl } from './sayings';
import type { Dropped, Ending, Phase, SessionEvent, SessionParts } from './session-events';
import type { Plain } from './window';

export class Session {
  readonly channelId: Bytes;
  phase: Phase = 'opening';
  mux: Mux;
  readonly dropped: Dropped = { frames: 0, closes: 0, renewals: 0 };
  readonly #limits: Limits;
  readonly #parts: SessionParts;
  #opening: Opening | undefined;
  #epoch: Epoch | undefined;
  #arrivals: Arrivals;
  readonly #departures: Departures;
  readonly #renewals: Renewals;
  readonly #age: KeyAge;
  #ready: Bytes[] = [];
  #events: SessionEvent[] = [];
  #until: number | undefined;
  #detachedUntil: number | undefined;
  /** A claim was accepted once: the channel outlives its path. */
  #isAttachable = false;
  /** Whether the Hub has the channel on our path; and before the Renew that waits for its answer. */
  #pathStands = true;
  #pathStood = true;

  constructor(parts: SessionParts) {
    const limits = parts.limits ?? LIMITS;
    this.#limits = limits;
    this.#parts = parts;
    this.channelId = parts.channelId;
    this.mux = new Mux(limits, limits.messageBytes);
    this.#arrivals = new Arrivals(limits, limits.messageBytes);
    this.#departures = new Departures(limits);
    this.#renewals = new Renewals(parts);
    this.#age = new KeyAge(limits, parts.random);
    this.#age.begin(parts.now);
    this.#until = parts.now + limits.openTimeout;
    this.#opening = new Opening(parts);
    this.#control(this.#opening.control);
  }

  receiveControl(body: ControlBody, now: number): void {
    if (this.phase === 'closed') return;
    switch (body.case) {
      case 'opened': return this.#heedOpened(body.value.noise as Bytes, body.value.maxMessageBytes, now);
      case 'renewed': return this.#heedRenewed(body.value.serial, body.value.noise as Bytes, now);
      case 'refused': return this.#heedRefused(body.value, now);
      case 'close': return this.#heedClose(body.value, now);
      default: return this.close(CloseReason.PROTOCOL_ERROR);
    }
  }

  receiveFrame(frame: Frame, now: number): void {
    if (this.phase === 'closed') return;
    const epoch = this.#epoch;
    const isPast = this.phase === 'renewing' || this.phase === 'detached';
    if (frame.epoch < this.#epochNumber || (isPast && frame.epoch === epoch?.number)) return void (this.dropped.frames += 1);
    if (!epoch || frame.epoch > epoch.number) return this.close(CloseReason.PROTOCOL_ERROR);
    const place = this.#arrivals.judge(frame, now);
    if (typeof place !== 'string') return this.close(place);
    const plaintext = epoch.open(frame);
    if (!(plaintext instanceof Uint8Array)) return this.close(plaintext);
    const body = this.#arrivals.take(place, plaintext, now);
    if (typeof body === 'number') return this.close(body);
    if (body && !this.#heed(body, now)) this.close(CloseReason.PROTOCOL_ERROR);
  }

  /** The signed claim: counter 0 of the epoch that it was signed for. */
  prove(epoch: number, signed: SignedParts, certificates: Signed[], now: number): void {
    if (this.phase !== 'signing' || epoch !== this.#epochNumber) return;
    this.phase = 'proving';
    this.#until = now + this.#limits.answerTimeout;
    this.#departures.claim = claimMessage(signed, certificates);
  }

  ping(): void {
    this.#departures.pulse.wantPing();
  }

  /** New keys: there is a new path, or the old one stands and the keys are due. */
  renew(now: number): void {
    if (!this.#epoch || (this.phase !== 'ready' && this.phase !== 'detached')) return;
    this.phase = 'renewing';
    [this.#pathStood, this.#pathStands] = [this.#pathStands, true];
    this.#until = now + this.#limits.renewTimeout;
    this.#arrivals.pause(now);
    this.#control(this.#renewals.begin(this.#epoch, this.#arrivals.receipts.tell()));
    this.#events.push({ kind: 'renewing' });
  }

  expire(now: number): void {
    if (this.phase === 'closed') return;
    if (this.phase === 'ready') this.#arrivals.receipts.expire(now);
    if ((this.#detachedUntil ?? Infinity) <= now) this.#end({ reason: closeLabel(CloseReason.DETACHED_TOO_LONG), anew: true });
    else if ((this.#until ?? Infinity) <= now) this.#overdue(now);
    else if ((this.#arrivals.deadline ?? Infinity) <= now) this.close(CloseReason.CHUNK_TIMEOUT);
    else if (this.#age.expiry <= now) this.close(CloseReason.KEY_EXPIRED);
    else if (this.#isRenewalDue(now)) this.renew(now);
  }

  close(reason: CloseReason): void {
    if (this.phase === 'closed') return;
    this.#ready = [];
    if (this.#pathStands) this.#sayClose(reason);
    this.#end({ reason: closeLabel(reason) });
  }

  /** The path went away, or it stands and nobody answers on it: there a Close has to be said. */
  lost(now: number, pathStands = false): void {
    this.#ready = [];
    const reason = closeLabel(CloseReason.CONNECTION_LOST);
    if (this.#isAttachable) this.#detach(now, { reason }, pathStands);
    else this.#end({ reason });
  }

  /** The next outer message to hand to the socket. */
  pollOutgoing(now: number): Bytes | undefined {
    if (this.#isRenewalDue(now)) this.renew(now);
    const ready = this.#ready.shift();
    if (ready) return ready;
    if (this.phase !== 'proving' && this.phase !== 'ready') return undefined;
    const receipts = this.phase === 'ready' ? this.#arrivals.receipts : undefined;
    // In the first epoch nothing of the page leaves before the Worker has said that it knows this user.
    const plain = this.#departures.next(this.mux, receipts, this.#isAttachable, now);
    return plain && this.#seal(plain);
  }

  pollEvent(): SessionEvent | undefined {
    const rtt = this.#departures.pulse.takeRoundTrip();
    if (rtt !== undefined) return { kind: 'pong', rtt };
    return this.mux.events.shift() ?? this.#events.shift();
  }

  get deadline(): number | undefined {
    if (this.phase === 'closed') return undefined;
    const times = [this.#until, this.#detachedUntil, this.#arrivals.deadline, this.#age.expiry];
    if (this.phase === 'ready') times.push(this.#arrivals.receipts.deadline, this.#age.renewal);
    return Math.min(...times.filter((time) => time !== undefined));
  }

  get #epochNumber(): number {
    return this.#epoch?.number ?? 0;
  }

  #heedOpened(noise: Bytes, announced: number, now: number): void {
    if (this.phase !== 'opening') return this.close(CloseReason.PROTOCOL_ERROR);
    const epoch = this.#opening?.finish(noise);
    this.#opening = undefined;
    if (!epoch) return this.close(CloseReason.HANDSHAKE_FAILED);
    this.#enter(epoch, now);
    const messageBytes = messageLimit(this.#limits, announced);
    this.mux = new Mux(this.#limits, messageBytes);
    this.#arrivals = new Arrivals(this.#limits, messageBytes);
  }

  /** Only the answer to the newest Renew counts, and only while it is waited for. */
  #heedRenewed(serial: number, noise: Bytes, now: number): void {
    if (this.phase !== 'renewing' || !this.#renewals.awaits(serial)) return void (this.dropped.renewals += 1);
    const renewed = this.#renewals.finish(noise);
    if (!renewed) return this.close(CloseReason.HANDSHAKE_FAILED);
    this.#epoch?.wipe();
    this.#enter(new Epoch(renewed.serial, this.channelId, renewed.established), now);
    if (!this.#departures.window.acknowledge(renewed.received)) return this.close(CloseReason.PROTOCOL_ERROR);
    this.#departures.window.rewind();
  }

  #enter(epoch: Epoch, now: number): void {
    this.#epoch = epoch;
    this.#age.begin(now);
    this.#until = now + this.#limits.answerTimeout;
    this.phase = 'signing';
    const context = claimContext(epoch.hash, this.#parts.workerId);
    this.#events.push({ kind: 'sign', epoch: epoch.number, context, body: claimBody(this.#parts.userId) });
  }

  #heedRefused({ serial, reason, retryAfterMs }: { serial: number; reason: RefusalReason; retryAfterMs: number }, now: number): void {
    const refusal = { reason: refusalLabel(reason), retryAfter: retryAfterMs };
    if (serial === 0) {
      if (this.phase === 'opening') this.#end(refusal);
    } else if (this.phase !== 'renewing' || !this.#renewals.awaits(serial)) this.dropped.renewals += 1;
    else {
      this.#pathStands = this.#pathStood;
      if (mayPass(reason)) return this.#detach(now, refusal);
      // A rekey that is refused for good leaves a channel on the way that nobody uses any more.
      if (this.#pathStands) this.#sayClose(CloseReason.CLOSED_BY_CLIENT);
      this.#end({ ...refusal, anew: true });
    }
  }

  #heedClose({ epoch, reason }: { epoch: number; reason: CloseReason }, now: number): void {
    // That it moved is said on the path that it leaves: the Renew may have gone by the newer one.
    const isOvertaken = this.phase === 'renewing' && reason === CloseReason.MOVED;
    if (epoch < this.#epochNumber || isOvertaken) this.dropped.closes += 1;
    else if (this.#isAttachable && leavesAttachable(reason)) this.#detach(now, { reason: closeLabel(reason) }, false);
    else this.#end({ reason: closeLabel(reason) });
  }

  /** An answer was due: of the first epoch the channel ends, later only the path counts as lost. */
  #overdue(now: number): void {
    if (this.phase === 'opening') return this.close(CloseReason.OPEN_TIMEOUT);
    if (!this.#isAttachable) return this.close(CloseReason.CLAIM_TIMEOUT);
    const { renewTimeout, answerTimeout } = this.#limits;
    const silence = this.phase === 'renewing' ? renewTimeout : answerTimeout;
    this.#detach(now, { reason: closeLabel(CloseReason.CONNECTION_LOST), silence });
  }

  #detach(now: number, why: { reason: string; retryAfter?: number; silence?: number }, stands = this.#pathStands): void {
    this.#pathStands = stands;
    if (this.phase === 'detached' || this.phase === 'closed') return;
    this.phase = 'detached';
    this.#ready = [];
    this.#departures.claim = undefined;
    this.#until = undefined;
    this.#detachedUntil ??= now + this.#limits.detachedMax;
    this.#renewals.giveUp();
    this.#arrivals.pause(now);
    this.#events.push({ kind: 'detached', ...why });
  }

  /** False if the Worker broke a rule. Before the claim is accepted it may say yes or no, nothing else. */
  #heed(body: InnerBody, now: number): boolean {
    if (body.case === 'failure') {
      this.#end({ reason: failureLabel(body.value.reason), detail: body.value.detail });
      return true;
    }
    if (this.phase !== 'ready') return this.phase === 'proving' && body.case === 'claimAccepted' && this.#becomeReady(now);
    const { pulse, window } = this.#departures;
    switch (body.case) {
      case 'ping': return pulse.heedPing(body.value.nonce);
      case 'pong': return pulse.heedPong(body.value.nonce, now);
      case 'ack': return window.acknowledge(body.value.received);
      default: return this.mux.heed(body);
    }
  }

  #becomeReady(now: number): boolean {
    this.phase = 'ready';
    this.#until = undefined;
    this.#detachedUntil = undefined;
    this.#arrivals.resume(now);
    this.#events.push({ kind: this.#isAttachable ? 'renewed' : 'ready' });
    this.#isAttachable = true;
    return true;
  }

  /** The sealed frame; or, where the keys refuse, the Close that says so. */
  #seal({ correlation, flags, plaintext }: Plain): Bytes | undefined {
    const sealed = this.#epoch?.seal(correlation, flags, plaintext);
    if (typeof sealed !== 'number') return sealed;
    this.close(sealed);
    return this.#ready.shift();
  }

  #isRenewalDue(now: number): boolean {
    return this.phase === 'ready' && (this.#epoch?.wantsRenewal === true || this.#age.renewal <= now);
  }

  /** It names the newest epoch that was asked for, which the Worker may be in already. */
  #sayClose(reason: CloseReason): void {
    this.#control(closeControl(this.channelId, this.#renewals.serial, reason));
  }

  #control(body: ControlBody): void {
    this.#ready.push(encodeControl(body));
  }

  #end(ending: Ending): void {
    if (this.phase === 'closed') return;
    this.phase = 'closed';
    this.#opening?.wipe();
    this.#opening = undefined;
    this.#renewals.giveUp();
    this.#epoch?.wipe();
    this.#epoch = undefined;
    this.#departures.clear();
    this.#arrivals.clear();
    this.mux.fail({ code: CODE.unavailable, message: 'connection lost' });
    this.#events.push({ kind: 'closed', ending });
  }
}
