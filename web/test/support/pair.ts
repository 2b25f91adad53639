// One session and one fake Worker channel with a wire between them that a test scripts by hand.

import { Session } from '../../src/channel/session';
import type { SessionEvent } from '../../src/channel/session-events';
import { type Limits, LIMITS } from '../../src/channel/limits';
import { type Frame, decodeOuter } from '../../src/channel/outer';
import type { MuxEvent } from '../../src/channel/mux';
import { DeviceKey, halvesFromSeeds } from '../../src/crypto/device';
import type { Mode } from '../../src/crypto/mode';
import type { Bytes } from '../../src/crypto/wire';
import type { Control } from '../../src/gen/leapmux/v1/channel_pb';
import { FakeChannel, IDENTITY, USER_ID, WORKER_ID, random } from './fake-worker';

export const device = new DeviceKey(halvesFromSeeds(random(32), random(32)));

export class Pair {
  now = 0;
  readonly session: Session;
  worker!: FakeChannel;
  readonly events: SessionEvent[] = [];
  /** What the client sent of its own and the Worker has not read. */
  readonly toWorker: Bytes[] = [];

  constructor(limits: Limits = LIMITS, readonly mode: Mode = 'classic') {
    this.session = new Session({
      mode, workerKey: IDENTITY.public, channelId: random(16), workerId: WORKER_ID, userId: USER_ID,
      random, now: 0, limits,
    });
  }

  /** As far as the claim, which the Worker has read. */
  async open(): Promise<this> {
    this.drain();
    const outer = decodeOuter(this.toWorker.shift()!);
    if (outer?.kind !== 'control' || outer.body.case !== 'open') throw new Error('no Open came first');
    this.worker = new FakeChannel(this.session.channelId, outer.body.value.noise as Bytes, this.mode, IDENTITY, USER_ID, WORKER_ID);
    this.deliver();
    await this.sign();
    this.exchange();
    return this;
  }

  /** Signs the claim that was asked for last. */
  async sign(): Promise<void> {
    const asked = this.events.findLast((event) => event.kind === 'sign');
    if (asked?.kind !== 'sign') throw new Error('no claim was asked for');
    const signed = await device.sign(this.mode, 'leapmux user claim v1', asked.context, asked.body, random(32));
    this.session.prove(asked.epoch, signed, [], this.now);
    this.drain();
  }

  /** A new path: Renew and Renewed have passed, and the claim has been read but not judged. */
  async renewed(): Promise<this> {
    this.session.renew(this.now);
    this.exchange();
    this.deliver();
    await this.sign();
    this.exchange();
    return this;
  }

  /** And the claim has been accepted, and all that was kept has come. */
  async attached(): Promise<this> {
    await this.renewed();
    this.worker.accept();
    this.deliver();
    this.exchange();
    return this;
  }

  /** The path goes, with all that was on it. */
  cut(): void {
    this.toWorker.length = 0;
    this.worker.outgoing.length = 0;
    this.session.lost(this.now);
    this.drain();
  }

  async ready(): Promise<this> {
    await this.open();
    this.worker.accept();
    this.deliver();
    return this;
  }

  drain(): void {
    for (let message = this.session.pollOutgoing(this.now); message; message = this.session.pollOutgoing(this.now)) this.toWorker.push(message);
    for (let event = this.session.pollEvent(); event; event = this.session.pollEvent()) this.events.push(event);
  }

  /** Hands one outer message to the client. */
  give(message: Bytes): void {
    const outer = decodeOuter(message);
    if (!outer) throw new Error('not an outer message');
    if (outer.kind === 'control') this.session.receiveControl(outer.body, this.now);
    else this.session.receiveFrame(outer.frame, this.now);
    this.drain();
  }

  /** All that the Worker has to say, in order. */
  deliver(): void {
    for (const message of this.worker.outgoing.splice(0)) this.give(message);
    this.drain();
  }

  /** All that the client has said, to the Worker. */
  exchange(): void {
    this.drain();
    for (const message of this.toWorker.splice(0)) {
      const outer = decodeOuter(message);
      if (outer?.kind === 'frame') this.worker.receive(outer.frame);
      else if (outer?.kind === 'control' && outer.body.case === 'renew') this.worker.renew(outer.body.value);
    }
  }

  pass(milliseconds: number): void {
    this.now += milliseconds;
    this.session.expire(this.now);
    this.drain();
  }

  get frames(): Frame[] {
    return this.toWorker.map((message) => decodeOuter(message)).flatMap((outer) => (outer?.kind === 'frame' ? [outer.frame] : []));
  }
  get controls(): Control['body'][] {
    return this.toWorker.map((message) => decodeOuter(message)).flatMap((outer) => (outer?.kind === 'control' ? [outer.body] : []));
  }
  get ending(): string | undefined {
    const closed = this.events.find((event) => event.kind === 'closed');
    return closed?.kind === 'closed' ? closed.ending.reason : undefined;
  }
  of<K extends MuxEvent['kind']>(kind: K): Extract<MuxEvent, { kind: K }>[] {
    return this.events.filter((event) => event.kind === kind) as Extract<MuxEvent, { kind: K }>[];
  }
}
