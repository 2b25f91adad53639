// Both ends of one channel over paths that are cut at random, lose what was last on them and deliver
// the rest late. Everything comes from one seed, so that a seed replays.

import { type Limits, LIMITS } from '../../src/channel/limits';
import { type Outer, decodeOuter, encodeControl } from '../../src/channel/outer';
import { CloseReason } from '../../src/channel/reasons';
import { Session } from '../../src/channel/session';
import type { SessionEvent } from '../../src/channel/session-events';
import { type Bytes, type RandomSource, concat, equalBytes, u32 } from '../../src/crypto/wire';
import { FakeChannel, IDENTITY, USER_ID, WORKER_ID } from './fake-worker';

/** What was on a path and may still arrive, in order, each way. */
interface Path { isAlive: boolean; up: Bytes[]; down: Bytes[] }

export interface Options { seed: number; steps: number; hasEpochInHeader?: boolean }

/** Small numbers, well spread (mulberry32). */
export function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const sourceOf = (pick: (below: number) => number): RandomSource => (length) => Uint8Array.from({ length }, () => pick(256));
/** Nothing but the script ends a channel here. */
const PATIENT: Limits = { ...LIMITS, detachedMax: 1e12, keyAge: 1e12, keyRenewalAge: 1e12, chunkTimeout: 1e12 };

export class Simulation {
  readonly tally = { cuts: 0, late: 0, lost: 0, renewals: 0 };
  /** Numbers of the messages that arrived, in the order in which they did. */
  readonly atWorker: number[] = [];
  readonly atClient: number[] = [];
  sentUp = 0;
  sentDown = 0;
  /** Why the channel ended, which it never should. */
  broken: string | undefined;
  readonly session: Session;
  worker!: FakeChannel;
  #now = 0;
  #path: Path = { isAlive: true, up: [], down: [] };
  readonly #dead: Path[] = [];
  /** The path on which the Worker heard of an epoch is where it speaks in it. */
  readonly #pathOf = new Map<number, Path>();
  #sign: Extract<SessionEvent, { kind: 'sign' }> | undefined;
  #epoch = 0;
  #stream = 0;
  #isDetached = false;
  #owed = 0;
  #credit = 0;
  readonly #pick: (below: number) => number;

  constructor(private readonly options: Options) {
    this.#pick = generator(options.seed);
    this.session = new Session({
      mode: 'classic', workerKey: IDENTITY.public, channelId: sourceOf(this.#pick)(16), workerId: WORKER_ID, userId: USER_ID,
      random: sourceOf(this.#pick), now: 0, limits: PATIENT,
    });
    this.#pathOf.set(0, this.#path);
  }

  /** Runs the script, then lets the last path stand until all has arrived or nothing moves any more. */
  run(): this {
    this.#open();
    for (let step = 0; step < this.options.steps && !this.broken; step++) this.#guarded(() => this.#step());
    for (let round = 0; round < 400 && !this.broken && !this.isComplete; round++) this.#guarded(() => this.#settle());
    return this;
  }

  get isComplete(): boolean {
    return this.atWorker.length === this.sentUp && this.atClient.length === this.sentDown;
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.broken = `the Worker: ${String(error)}`;
    }
  }

  #open(): void {
    const first = decodeOuter(this.session.pollOutgoing(0)!);
    if (first?.kind !== 'control' || first.body.case !== 'open') throw new Error('no Open');
    const noise = first.body.value.noise as Bytes;
    this.worker = new FakeChannel(this.session.channelId, noise, 'classic', IDENTITY, USER_ID, WORKER_ID, sourceOf(this.#pick));
    this.worker.verifies = (context, { signature }) => {
      if (!equalBytes(context, signature)) throw new Error('a claim of another epoch');
    };
    this.worker.onInner = (body) => {
      if (body.case === 'claim') this.worker.accept();
      if (body.case === 'streamData') this.#arrived(body.value.data);
    };
    while (this.session.phase !== 'ready') {
      this.#pump();
      this.#prove();
      this.#deliver(this.#path, 'up');
      this.#deliver(this.#path, 'down');
    }
    this.#stream = this.session.mux.openStream({ method: 'm', payload: new Uint8Array(), workspaceId: '' }) as number;
    this.#pump();
  }

  #step(): void {
    const draw = this.#pick(100);
    if (draw < 18) this.#sendUp();
    else if (draw < 36) this.#sendDown();
    else if (draw < 50) this.#some(() => this.#deliver(this.#path, 'up'));
    else if (draw < 64) this.#some(() => this.#deliver(this.#path, 'down'));
    else if (draw < 68) this.#cut();
    else if (draw < 80) this.#some(() => this.#deliverLate());
    else if (draw < 87) this.#prove();
    else if (draw < 94) this.#comeBack();
    else if (draw < 96) this.session.renew(this.#now);
    else this.#pass();
    this.#pump();
  }

  #settle(): void {
    if (!this.#path.isAlive || this.#isDetached) this.#comeBack();
    this.#prove();
    this.#pump();
    for (let n = 0; n < 50; n++) {
      this.#deliver(this.#path, 'up');
      this.#deliver(this.#path, 'down');
      this.#pump();
    }
    this.#deliverLate();
    this.#pass();
    this.#pump();
  }

  #some(act: () => void): void {
    for (let n = this.#pick(6); n >= 0; n--) act();
  }

  #message(number: number): Bytes {
    const long = this.#pick(25) === 0;
    return concat(u32(number), new Uint8Array(this.#pick(long ? 140_000 : 300)));
  }

  #sendUp(): void {
    const before = this.session.mux.events.length;
    this.session.mux.streamSend(this.#stream, this.#message(this.sentUp));
    if (this.session.mux.events.length > before) throw new Error('the stream outgrew its bound');
    this.sentUp += 1;
  }

  #sendDown(): void {
    this.worker.say({ case: 'streamData', value: { $typeName: 'leapmux.v1.StreamData', id: BigInt(this.#stream), data: this.#message(this.sentDown) } });
    this.sentDown += 1;
  }

  #arrived(data: Uint8Array): void {
    this.atWorker.push(new DataView(data.buffer, data.byteOffset).getUint32(0));
    this.#owed += data.length;
    if (this.#owed < 300_000) return;
    this.#credit += this.#owed;
    this.#owed = 0;
    const total = BigInt(this.#credit + LIMITS.streamCredit);
    this.worker.say({ case: 'credit', value: { $typeName: 'leapmux.v1.Credit', id: BigInt(this.#stream), total } });
  }

  /** Of what is under way each way, a part from the end on is lost; the rest may come late. */
  #cut(): void {
    if (!this.#path.isAlive) return;
    this.tally.cuts += 1;
    this.#path.isAlive = false;
    for (const way of [this.#path.up, this.#path.down]) {
      const kept = this.#pick(way.length + 1);
      this.tally.lost += way.length - kept;
      way.length = kept;
    }
    const reason = this.#pick(2) === 0 ? CloseReason.CONNECTION_LOST : CloseReason.TOO_SLOW;
    const close = { $typeName: 'leapmux.v1.Close' as const, channelId: this.session.channelId, epoch: this.#epoch, reason };
    if (this.#pick(3) === 0) this.#path.down.push(encodeControl({ case: 'close', value: close }));
    this.#dead.push(this.#path);
  }

  /** The client notices, if it has not, and has a new path. */
  #comeBack(): void {
    if (this.#path.isAlive && !this.#isDetached) return;
    this.session.lost(this.#now);
    this.#heed();
    if (!this.#path.isAlive) this.#path = { isAlive: true, up: [], down: [] };
    this.#isDetached = false;
    this.tally.renewals += 1;
    this.session.renew(this.#now);
  }

  #prove(): void {
    const asked = this.#sign;
    this.#sign = undefined;
    if (asked) this.session.prove(asked.epoch, { algorithm: 1, key: new Uint8Array(32), body: asked.body, signature: asked.context }, [], this.#now);
    this.#pump();
  }

  #pass(): void {
    this.#now += this.#pick(3_000);
    this.session.expire(this.#now);
    this.worker.acknowledge();
  }

  #deliverLate(): void {
    const way = this.#pick(2) === 0 ? 'up' : 'down';
    const late = this.#dead.filter((path) => path[way].length > 0);
    const path = late[this.#pick(late.length + 1)];
    if (!path) return;
    this.tally.late += 1;
    this.#deliver(path, way);
  }

  #deliver(path: Path, way: 'up' | 'down'): void {
    const message = path[way].shift();
    const outer = message && decodeOuter(message);
    if (!outer) return;
    if (way === 'up') this.#toWorker(outer, path);
    else this.#toClient(outer);
    this.#pump();
  }

  #toWorker(outer: Outer, path: Path): void {
    if (outer.kind === 'frame') this.worker.receive(this.#header(outer.frame, this.worker.epochs.open.number));
    else if (outer.body.case === 'renew') {
      this.#pathOf.set(outer.body.value.serial, path);
      this.worker.renew(outer.body.value);
    }
  }

  #toClient(outer: Outer): void {
    if (outer.kind === 'frame') return this.session.receiveFrame(this.#header(outer.frame, this.#epoch), this.#now);
    // A Close for good that is not late would be judged, and rightly so.
    const isJust = outer.body.case === 'close' && outer.body.value.reason === CloseReason.TOO_SLOW && outer.body.value.epoch >= this.#epoch;
    if (!isJust) this.session.receiveControl(outer.body, this.#now);
  }

  /** Without the epoch in the header a receiver can only try the keys that it has. */
  #header<F extends { epoch: number }>(frame: F, epoch: number): F {
    return this.options.hasEpochInHeader === false ? { ...frame, epoch } : frame;
  }

  /** All that either end wants to send goes on its path; what a dead path is given is lost. */
  #pump(): void {
    this.#heed();
    for (let message = this.session.pollOutgoing(this.#now); message; message = this.session.pollOutgoing(this.#now)) this.#put(this.#path, 'up', message);
    this.#heed();
    for (const message of this.worker?.outgoing.splice(0) ?? []) {
      const outer = decodeOuter(message);
      if (outer) this.#put(this.#pathOf.get(epochOf(outer)) ?? this.#path, 'down', message);
    }
  }

  #put(path: Path, way: 'up' | 'down', message: Bytes): void {
    if (path.isAlive) path[way].push(message);
    else this.tally.lost += 1;
  }

  #heed(): void {
    for (let event = this.session.pollEvent(); event; event = this.session.pollEvent()) {
      switch (event.kind) {
        case 'sign':
          this.#sign = event;
          this.#epoch = event.epoch;
          break;
        case 'stream-data':
          this.atClient.push(new DataView(event.data.buffer, event.data.byteOffset).getUint32(0));
          this.session.mux.streamConsumed(this.#stream, event.data.length);
          break;
        case 'detached':
          this.#isDetached = true;
          break;
        case 'closed':
          this.broken ??= `the client: ${event.ending.reason}`;
      }
    }
  }
}

function epochOf(outer: Outer): number {
  if (outer.kind === 'frame') return outer.frame.epoch;
  const { body } = outer;
  return body.case === 'renewed' || body.case === 'refused' ? body.value.serial : 0;
}
