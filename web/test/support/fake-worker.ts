// A Worker behind a Hub, in memory: enough of both to run the client against, with every wire fault on
// demand. Classic mode by default, for speed.

import { fromBinary } from '@bufbuild/protobuf';
import { prologue } from '../../src/crypto/prologue';
import { type SignedParts, claimContext, verify } from '../../src/crypto/signed';
import type { Established } from '../../src/crypto/symmetric';
import type { Mode } from '../../src/crypto/mode';
import { type Bytes, type RandomSource, bytesToHex } from '../../src/crypto/wire';
import { type Claim, type Control, InnerSchema, RefusalReason, type Renew, UserIdClaimSchema } from '../../src/gen/leapmux/v1/channel_pb';
import { Joiner, Splitter } from '../../src/channel/chunks';
import { LIMITS } from '../../src/channel/limits';
import { type InnerBody, encodeInner } from '../../src/channel/mux';
import { type Frame, FLAG_MORE, associatedData, decodeOuter, encodeControl, encodeFrame } from '../../src/channel/outer';
import { CloseReason } from '../../src/channel/reasons';
import type { WireEvents, Wire } from '../../src/channel/surroundings';
import { type Plain, Window } from '../../src/channel/window';
import { WorkerEpochs, type WorkerIdentity, answerHandshake, drawWorkerRandomness, workerIdentity } from './worker-end';
import { type HandshakeVector, vectors } from './vectors';

export const WORKER_ID = '01JCWORKER0000000000000001';
export const USER_ID = '01JCUSER000000000000000001';
export const IDENTITY: WorkerIdentity = workerIdentity(vectors<HandshakeVector>('handshake_classic.json').worker);
export const random = (length: number): Bytes => crypto.getRandomValues(new Uint8Array(length));

const UNCOUNTED = ['claim', 'claimAccepted', 'failure', 'ping', 'pong', 'ack'];

/** The Worker's end of one channel. What it wants to send, and has not, is in `outgoing`. */
export class FakeChannel {
  readonly said: InnerBody[] = [];
  readonly outgoing: Bytes[] = [];
  readonly epochs: WorkerEpochs;
  readonly window = new Window(LIMITS);
  /** Frames of epochs that are over. */
  dropped = 0;
  claim: Claim | undefined;
  onInner: (body: InnerBody) => void = () => undefined;
  /** Counted frames decrypted since the channel opened. */
  received = 0n;
  #isAttachable = false;
  #correlation = 0n;
  #unfinished: bigint | undefined;
  /** The claim is there and not yet judged. */
  #awaitsVerdict = false;
  #early: Frame[] = [];
  /** Counted frames that the window has no room for. */
  readonly #waiting: Plain[] = [];
  readonly #joiner = new Joiner();

  constructor(readonly channelId: Bytes, noise: Bytes, readonly mode: Mode, identity: WorkerIdentity,
    private readonly userId: string, readonly workerId: string, source: RandomSource = random) {
    const agreed = prologue(mode, channelId, workerId, userId);
    const { established, message2 } = answerHandshake(identity, agreed, noise, drawWorkerRandomness(source));
    this.epochs = new WorkerEpochs(mode, identity, established, source);
    this.outgoing.push(encodeControl({
      case: 'opened', value: { $typeName: 'leapmux.v1.Opened', channelId, noise: message2, maxMessageBytes: 0 },
    }));
  }

  get keys(): Established {
    return this.epochs.open.keys;
  }

  receive(frame: Frame): void {
    const epoch = this.epochs.open;
    if (frame.epoch < epoch.number) {
      this.dropped += 1;
      return;
    }
    if (frame.epoch > epoch.number) throw new Error('a frame of an epoch that the Worker never made');
    if (this.claim && this.#awaitsVerdict) this.#early.push(frame);
    else this.#open(frame, epoch.keys);
  }

  renew(request: Renew): void {
    const { channelId } = this;
    const verdict = this.#isAttachable ? this.epochs.renew(request as Renew & { noise: Bytes }, this.received) : 'stale';
    if (typeof verdict === 'string') {
      const reason = verdict === 'stale' ? RefusalReason.STALE : RefusalReason.HANDSHAKE;
      return void this.outgoing.push(encodeControl({
        case: 'refused', value: { $typeName: 'leapmux.v1.Refused', channelId, reason, retryAfterMs: 0, serial: request.serial },
      }));
    }
    if (!this.window.acknowledge(verdict.received)) throw new Error('the client received what was not sent');
    this.claim = undefined;
    this.#awaitsVerdict = false;
    this.#early = [];
    this.outgoing.push(encodeControl({
      case: 'renewed', value: { $typeName: 'leapmux.v1.Renewed', channelId, serial: request.serial, noise: verdict.noise },
    }));
  }

  /** Takes the claim of this epoch; what is kept goes again, and what came early is heeded. */
  accept(): void {
    if (this.epochs.candidate) this.window.rewind();
    this.epochs.promote();
    this.#isAttachable = true;
    this.#awaitsVerdict = false;
    this.say({ case: 'claimAccepted', value: { $typeName: 'leapmux.v1.ClaimAccepted', workspaces: [] } });
    this.sealKept();
    this.#early.splice(0).forEach((frame) => this.receive(frame));
  }

  /** Seals a message now, or after the renewal; it goes out when the wire takes it. */
  say(body: InnerBody): void {
    const splitter = new Splitter(encodeInner(body));
    const correlation = ++this.#correlation;
    if (UNCOUNTED.includes(body.case!)) return this.epochs.maySeal ? this.#seal(correlation, 0, splitter.next().plaintext) : undefined;
    do {
      const { flags, plaintext } = splitter.next();
      this.sayFrame(correlation, flags, plaintext);
    } while (splitter.remaining > 0);
  }

  /** A counted frame. */
  sayFrame(correlation: bigint, flags: number, plaintext: Bytes): void {
    this.#waiting.push({ correlation, flags, plaintext });
    this.sealKept();
  }

  sealKept(): void {
    if (!this.epochs.maySeal) return;
    for (let frame = this.window.again(); frame; frame = this.window.again()) this.#seal(frame.correlation, frame.flags, frame.plaintext);
    while (this.window.hasRoom) {
      const frame = this.#waiting.shift();
      if (!frame) return;
      this.window.keep({ ...frame, plaintext: frame.plaintext.slice() });
      this.#seal(frame.correlation, frame.flags, frame.plaintext);
    }
  }

  acknowledge(): void {
    this.say({ case: 'ack', value: { $typeName: 'leapmux.v1.Ack', received: this.received } });
  }

  close(reason: CloseReason): void {
    const { channelId, epochs } = this;
    this.outgoing.push(encodeControl({
      case: 'close', value: { $typeName: 'leapmux.v1.Close', channelId, epoch: epochs.current.number, reason },
    }));
  }

  #seal(correlation: bigint, flags: number, plaintext: Bytes): void {
    const { number: epoch, keys } = this.epochs.open;
    const ciphertext = keys.sealer.seal(associatedData(correlation, flags), plaintext);
    this.outgoing.push(encodeFrame({ channelId: this.channelId, epoch, correlation, flags, ciphertext }));
  }

  #open(frame: Frame, keys: Established): void {
    const plaintext = keys.opener.open(associatedData(frame.correlation, frame.flags), frame.ciphertext);
    const more = (frame.flags & FLAG_MORE) !== 0;
    const isPart = more || frame.correlation === this.#unfinished;
    if (isPart) this.received += 1n;
    if (isPart) this.#unfinished = more ? frame.correlation : undefined;
    const message = this.#joiner.join(more ? 'chunk' : isPart ? 'last' : 'whole', plaintext);
    if (message) this.#heed(fromBinary(InnerSchema, message).body, isPart);
  }

  #heed(body: InnerBody, isCounted: boolean): void {
    if (!isCounted && !UNCOUNTED.includes(body.case!)) this.received += 1n;
    if (!this.claim) this.#check(body);
    if (body.case === 'ack') {
      if (!this.window.acknowledge(body.value.received)) throw new Error('an Ack of what was not sent');
      this.sealKept();
    }
    this.said.push(body);
    this.onInner(body);
  }

  #check(body: InnerBody): void {
    if (body.case !== 'claim') throw new Error('user ID not verified');
    this.claim = body.value;
    this.#awaitsVerdict = true;
    const { algorithm, key, body: content, signature } = body.value.signed! as unknown as { algorithm: number; key: Bytes; body: Bytes; signature: Bytes };
    const context = claimContext(this.keys.root.hash, this.workerId);
    this.verifies(context, { algorithm, key, body: content, signature });
    if (fromBinary(UserIdClaimSchema, content).userId !== this.userId) throw new Error('user ID mismatch');
  }

  /** Throws if the claim is not signed for this epoch. */
  verifies(context: Bytes, signed: SignedParts): void {
    verify(this.mode, 'leapmux user claim v1', context, signed);
  }
}

/** A Hub with one Worker; `onChannel` decides what the Worker does once a claim is there. */
export class FakeHub {
  readonly channels: FakeChannel[] = [];
  readonly controls: Control['body'][] = [];
  identity = IDENTITY;
  mode: Mode = 'classic';
  accepts = true;
  refuses: Control['body'] | undefined;
  /** A Hub that keeps no paths refuses every Renew. */
  renews = true;
  connections = 0;
  /** False: sockets never open. */
  up = true;
  #events: WireEvents | undefined;

  onInner: (channel: FakeChannel, body: InnerBody) => void = () => undefined;

  connect = (events: WireEvents): Wire => {
    this.connections += 1;
    this.#events = events;
    queueMicrotask(() => (this.up ? events.onOpen() : events.onClose()));
    return {
      bufferedAmount: 0,
      send: (message) => queueMicrotask(() => this.#events === events && this.#receive(message)),
      close: () => {
        if (this.#events === events) this.#events = undefined;
      },
    };
  };

  cut(): void {
    const events = this.#events;
    this.#events = undefined;
    events?.onClose();
  }

  send(message: Bytes): void {
    this.#events?.onMessage(message);
  }

  #receive(message: Bytes): void {
    const outer = decodeOuter(message);
    if (!outer) throw new Error('the client sent what is no outer message');
    if (outer.kind === 'control') this.#control(outer.body);
    else this.#frame(outer.frame);
    this.flush();
  }

  #control(body: Control['body']): void {
    this.controls.push(body);
    if (body.case === 'renew') return this.#renew(body.value);
    if (body.case !== 'open') return;
    const { channelId, noise } = body.value;
    if (this.refuses?.case === 'refused') {
      return this.send(encodeControl({ case: 'refused', value: refusedFor(this.refuses.value, channelId as Bytes) }));
    }
    const channel = new FakeChannel(channelId as Bytes, noise as Bytes, this.mode, this.identity, USER_ID, WORKER_ID);
    channel.onInner = (said) => {
      if (said.case === 'claim' && this.accepts) channel.accept();
      this.onInner(channel, said);
    };
    this.channels.push(channel);
  }

  #renew(renew: Renew): void {
    const channelId = renew.channelId as Bytes;
    if (this.renews) return this.#find(channelId)?.renew(renew);
    const stale = { reason: RefusalReason.STALE, retryAfterMs: 0, serial: renew.serial };
    this.send(encodeControl({ case: 'refused', value: refusedFor(stale, channelId) }));
  }

  #find(channelId: Bytes): FakeChannel | undefined {
    return this.channels.find((one) => bytesToHex(one.channelId) === bytesToHex(channelId));
  }

  #frame(frame: Frame): void {
    this.#find(frame.channelId)?.receive(frame);
  }

  flush(): void {
    for (const channel of this.channels) {
      for (const message of channel.outgoing.splice(0)) this.send(message);
    }
  }
}

const refusedFor = (value: { reason: number; retryAfterMs: number; serial: number }, channelId: Bytes) => ({
  $typeName: 'leapmux.v1.Refused' as const, channelId, reason: value.reason, retryAfterMs: value.retryAfterMs, serial: value.serial,
});
