// A Worker behind a Hub, in memory: enough of both to run the client against, with every wire fault on
// demand. Classic mode by default, for speed.

import { fromBinary } from '@bufbuild/protobuf';
import { prologue } from '../../src/crypto/prologue';
import { claimContext, verify } from '../../src/crypto/signed';
import type { Established } from '../../src/crypto/symmetric';
import type { Mode } from '../../src/crypto/mode';
import { type Bytes, bytesToHex } from '../../src/crypto/wire';
import { type Claim, type Control, InnerSchema, UserIdClaimSchema } from '../../src/gen/leapmux/v1/channel_pb';
import { Joiner, Splitter } from '../../src/channel/chunks';
import { type InnerBody, encodeInner } from '../../src/channel/mux';
import { type Frame, FLAG_MORE, associatedData, decodeOuter, encodeControl, encodeFrame } from '../../src/channel/outer';
import { CloseReason } from '../../src/channel/reasons';
import type { WireEvents, Wire } from '../../src/channel/surroundings';
import { type WorkerIdentity, answerHandshake, drawWorkerRandomness, workerIdentity } from './worker-end';
import { type HandshakeVector, vectors } from './vectors';

export const WORKER_ID = '01JCWORKER0000000000000001';
export const USER_ID = '01JCUSER000000000000000001';
export const IDENTITY: WorkerIdentity = workerIdentity(vectors<HandshakeVector>('handshake_classic.json').worker);
export const random = (length: number): Bytes => crypto.getRandomValues(new Uint8Array(length));

/** The Worker's end of one channel. What it wants to send, and has not, is in `outgoing`. */
export class FakeChannel {
  readonly said: InnerBody[] = [];
  readonly outgoing: Bytes[] = [];
  readonly keys: Established;
  claim: Claim | undefined;
  #correlation = 0n;
  readonly #joiner = new Joiner();

  constructor(readonly channelId: Bytes, noise: Bytes, readonly mode: Mode, identity: WorkerIdentity,
    private readonly userId: string, readonly workerId: string) {
    const agreed = prologue(mode, channelId, workerId, userId);
    const { established, message2 } = answerHandshake(identity, agreed, noise, drawWorkerRandomness(random));
    this.keys = established;
    this.outgoing.push(encodeControl({
      case: 'opened', value: { $typeName: 'leapmux.v1.Opened', channelId, noise: message2, maxMessageBytes: 0 },
    }));
  }

  receive(frame: Frame): void {
    const plaintext = this.keys.opener.open(associatedData(frame.correlation, frame.flags), frame.ciphertext);
    const more = (frame.flags & FLAG_MORE) !== 0;
    const unfinished = more || frame.correlation === this.#open;
    const message = this.#joiner.join(more ? 'chunk' : unfinished ? 'last' : 'whole', plaintext);
    this.#open = more ? frame.correlation : unfinished ? undefined : this.#open;
    if (!message) return;
    const { body } = fromBinary(InnerSchema, message);
    if (body.case === 'claim' && !this.claim) this.#check(body.value);
    this.said.push(body);
  }
  #open: bigint | undefined;

  #check(claim: Claim): void {
    this.claim = claim;
    const { algorithm, key, body, signature } = claim.signed! as unknown as { algorithm: number; key: Bytes; body: Bytes; signature: Bytes };
    verify(this.mode, 'leapmux user claim v1', claimContext(this.keys.root.hash, this.workerId), { algorithm, key, body, signature });
    if (fromBinary(UserIdClaimSchema, body).userId !== this.userId) throw new Error('user ID mismatch');
  }

  /** Seals a message now; it goes out when the wire takes it. */
  say(body: InnerBody): void {
    const splitter = new Splitter(encodeInner(body));
    const correlation = ++this.#correlation;
    do {
      const { flags, plaintext } = splitter.next();
      this.sayFrame(correlation, flags, plaintext);
    } while (splitter.remaining > 0);
  }

  sayFrame(correlation: bigint, flags: number, plaintext: Bytes, epoch = 0): void {
    const ciphertext = this.keys.sealer.seal(associatedData(correlation, flags), plaintext);
    this.outgoing.push(encodeFrame({ channelId: this.channelId, epoch, correlation, flags, ciphertext }));
  }

  accept(): void {
    this.say({ case: 'claimAccepted', value: { $typeName: 'leapmux.v1.ClaimAccepted', workspaces: [] } });
  }

  close(reason: CloseReason): void {
    this.outgoing.push(encodeControl({
      case: 'close', value: { $typeName: 'leapmux.v1.Close', channelId: this.channelId, epoch: 0, reason },
    }));
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
    if (body.case !== 'open') return;
    const { channelId, noise } = body.value;
    if (this.refuses?.case === 'refused') {
      return this.send(encodeControl({ case: 'refused', value: refusedFor(this.refuses.value, channelId as Bytes) }));
    }
    this.channels.push(new FakeChannel(channelId as Bytes, noise as Bytes, this.mode, this.identity, USER_ID, WORKER_ID));
  }

  #frame(frame: Frame): void {
    const channel = this.channels.find((one) => bytesToHex(one.channelId) === bytesToHex(frame.channelId));
    if (!channel) return;
    const before = channel.said.length;
    channel.receive(frame);
    for (const body of channel.said.slice(before)) {
      if (body.case === 'claim' && this.accepts) channel.accept();
      this.onInner(channel, body);
    }
  }

  flush(): void {
    for (const channel of this.channels) {
      for (const message of channel.outgoing.splice(0)) this.send(message);
    }
  }
}

const refusedFor = (value: { reason: number; retryAfterMs: number }, channelId: Bytes) => ({
  $typeName: 'leapmux.v1.Refused' as const, channelId, reason: value.reason, retryAfterMs: value.retryAfterMs, serial: 0,
});
