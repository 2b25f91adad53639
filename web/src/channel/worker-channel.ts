// The channel to one Worker, kept open: parameters, trust, handshake, claim, and again after a loss.

import { parsePublicKey } from '../crypto/public-key';
import { Alarm } from './alarm';
import { Backoff } from './backoff';
import type { ChannelState, ChannelStatus } from './door';
import { approvalBackoff, awaitsApproval, failureOf, isFinal } from './endings';
import { type Facts, deviceWords, factsOf } from './facts';
import { Heartbeat } from './heartbeat';
import type { Parameters } from './parameters';
import { CloseReason } from './reasons';
import { type Ending, Session, type SessionEvent } from './session';
import type { Socket } from './socket';
import { type Surroundings, draw } from './surroundings';
import { LOST, Traffic } from './traffic';
import { Trust, type TrustGo } from './trust';

/** What an attempt rests on. */
interface Basis { offered: Parameters; verdict: TrustGo }

export class WorkerChannel {
  readonly traffic: Traffic;
  readonly #trust: Trust;
  readonly #heartbeat: Heartbeat;
  readonly #backoff = new Backoff();
  readonly #approval = approvalBackoff();
  #status: ChannelStatus;
  #facts: Facts = {};
  #session: Session | undefined;
  #basis: Basis | undefined;
  #userId = '';
  #wanted = false;
  /** Rises with each attempt: what an older one learns late is dropped. */
  #attempt = 0;
  #trying = false;
  readonly #retry: Alarm;
  readonly #deadline: Alarm;

  constructor(private readonly workerId: string, private readonly surroundings: Surroundings, private readonly socket: Socket) {
    this.#status = { workerId, state: 'idle' };
    this.#trust = new Trust(surroundings);
    this.#heartbeat = new Heartbeat(surroundings);
    this.#retry = new Alarm(surroundings.after);
    this.#deadline = new Alarm(surroundings.after);
    this.traffic = new Traffic((message, transfer) => surroundings.tell(message, transfer));
  }

  get isWanted(): boolean {
    return this.#wanted;
  }

  /** Whether a call made now will be answered, if all goes well. */
  get isOpening(): boolean {
    return this.#wanted && ['idle', 'connecting', 'securing', 'proving'].includes(this.#status.state);
  }

  open(userId: string): void {
    if (this.#wanted && userId !== this.#userId) this.close();
    this.#userId = userId;
    this.#wanted = true;
    this.socket.want();
    // A page that asks again must not defeat the back-off, save for a Worker that may have come back.
    const waits = this.#retry.isSet && this.#status.reason !== 'worker_offline';
    if (!waits && !this.#isBlocked) this.#begin();
  }

  review(): void {
    this.#trust.forget();
    if (this.#wanted) this.#begin();
  }

  close(): void {
    if (!this.#wanted) return;
    this.#wanted = false;
    this.#stop('closed', 'closed_by_client');
  }

  onSocketOpen(): void {
    if (this.#wanted && !this.#retry.isSet && !this.#isBlocked && this.#status.state !== 'closed') this.#begin();
  }

  onSocketDown(retryAt: number, reason: string): void {
    if (!this.#wanted || this.#status.state === 'blocked' || this.#status.state === 'closed') return;
    this.#callOff();
    this.traffic.end(LOST);
    this.#tell('reconnecting', { reason, retryAt });
  }

  /** Moves what the session wants to send, then tells what it learned. */
  pump(): void {
    this.socket.pump();
    const session = this.#session;
    for (let event = session?.pollEvent(); session && event; event = session.pollEvent()) this.#heed(session, event);
    this.#schedule();
  }

  /** The page changed the pin. */
  async refresh(): Promise<void> {
    if (this.#status.state !== 'ready') return;
    await this.#learnFacts();
    if (this.#status.state === 'ready') this.#tell('ready', { rttMs: this.#status.rttMs });
  }

  #begin(): void {
    if (this.#session || this.#trying) return;
    this.#callOff();
    // A device that waits for approval asks again without saying so.
    const quiet = awaitsApproval(this.#status.reason);
    if (!quiet) this.#tell('connecting', { retryAt: this.socket.isOpen ? undefined : this.socket.retryAt });
    if (!this.socket.isOpen) return this.socket.want();
    this.#trying = true;
    const attempt = ++this.#attempt;
    const isCurrent = () => attempt === this.#attempt;
    void this.#try(isCurrent, quiet)
      .catch((error: unknown) => isCurrent() && this.#failed(failureOf(error)))
      .finally(() => {
        if (isCurrent()) this.#trying = false;
      });
  }

  async #try(isCurrent: () => boolean, quiet: boolean): Promise<void> {
    const { workerId, surroundings } = this;
    const offered = await surroundings.parameters(workerId);
    if (!isCurrent()) return;
    if (!offered.online) return this.#failed({ reason: 'worker_offline' });
    const workerKey = parsePublicKey(offered.publicKey);
    const verdict = await this.#trust.judge(workerId, offered);
    if (!isCurrent()) return;
    if (!verdict.go) return this.#stop('blocked', verdict.reason);
    this.#basis = { offered, verdict };
    if (verdict.dropped) this.#facts = { pinDropped: true };
    const { now, random } = surroundings;
    const session = new Session({
      mode: offered.mode, workerKey, channelId: random(16), workerId, userId: this.#userId, random, now: now(),
    });
    this.#session = session;
    this.#attach(session);
    if (!quiet) this.#tell('securing', { mode: offered.mode });
    this.pump();
  }

  #attach(session: Session): void {
    const { now } = this.surroundings;
    const within = (step: () => void) => {
      step();
      this.pump();
    };
    this.socket.attach(session.channelId, {
      receiveControl: (body) => within(() => session.receiveControl(body, now())),
      receiveFrame: (frame) => within(() => {
        this.#heartbeat.heard();
        session.receiveFrame(frame, now());
      }),
      pollOutgoing: () => session.pollOutgoing(now()),
      lost: () => within(() => session.lost()),
    });
  }

  #heed(session: Session, event: SessionEvent): void {
    switch (event.kind) {
      case 'sign': return void this.#prove(session, event);
      case 'ready': return void this.#confirm(session);
      case 'pong': return this.#tell('ready', { rttMs: Math.round(event.rtt) });
      case 'renewal-due':
        // Keys of an hour: a new channel takes the place of the old one at once.
        this.traffic.end(LOST);
        return this.#again();
      case 'closed': return this.#ended(session, event.ending);
      default: return this.traffic.heed(event);
    }
  }

  async #prove(session: Session, event: Extract<SessionEvent, { kind: 'sign' }>): Promise<void> {
    const { mode } = this.#basis!.offered;
    if (this.#status.state === 'securing') this.#tell('proving', { mode });
    try {
      const device = await this.surroundings.device();
      const signed = await device.sign(mode, 'leapmux user claim v1', event.context, event.body, this.surroundings.random(32));
      session.prove(signed, [], this.surroundings.now());
    } catch {
      if (this.#session === session) return this.#stop('blocked', 'storage_failed');
    }
    this.pump();
  }

  async #confirm(session: Session): Promise<void> {
    const { offered, verdict } = this.#basis!;
    const isCurrent = () => this.#session === session && session.phase === 'ready';
    try {
      const kept = await this.#trust.confirm(this.workerId, offered, verdict);
      if (!kept) return isCurrent() ? this.#again() : undefined;
      await this.#learnFacts();
    } catch {
      return this.#session === session ? this.#stop('blocked', 'storage_failed') : undefined;
    }
    if (isCurrent()) this.#serve(session);
  }

  #serve(session: Session): void {
    this.#trust.forget();
    this.#backoff.reset();
    this.#approval.reset();
    this.traffic.begin(session.mux);
    this.#tell('ready', {});
    this.#heartbeat.start(() => {
      session.ping();
      this.pump();
    }, () => this.socket.abandon());
  }

  async #learnFacts(): Promise<void> {
    const facts = await factsOf(this.surroundings, this.workerId, this.#basis!.offered);
    this.#facts = { ...facts, pinDropped: this.#facts.pinDropped };
  }

  #ended(session: Session, ending: Ending): void {
    this.socket.detach(session.channelId);
    if (this.#session !== session) return;
    this.#session = undefined;
    this.#heartbeat.stop();
    if (this.#wanted) this.#failed(ending);
  }

  #failed(ending: Ending): void {
    const { reason, retryAfter } = ending;
    this.#callOff();
    this.traffic.end(LOST);
    if (awaitsApproval(reason)) return this.#awaitApproval(ending);
    if (isFinal(ending)) return this.#tell('closed', { reason });
    // While the socket is down it says itself when it comes back.
    if (!this.socket.isOpen) return this.#tell('reconnecting', { reason, retryAt: this.socket.retryAt });
    this.#retryIn(this.#backoff.next(draw(this.surroundings.random), retryAfter), 'reconnecting', { reason });
  }

  #awaitApproval(ending: Ending): void {
    const mode = this.#basis?.offered.mode ?? 'post-quantum';
    const { reason, detail } = ending;
    const wait = this.#approval.next(draw(this.surroundings.random));
    this.#retryIn(wait, 'blocked', { reason, detail, mode });
    void deviceWords(this.surroundings, mode).then((words) => {
      this.#facts = { ...this.#facts, deviceWords: words };
      if (this.#status.reason === reason) this.#tell('blocked', { reason, detail, mode, retryAt: this.#status.retryAt });
    }).catch(() => this.#stop('blocked', 'storage_failed'));
  }

  #retryIn(wait: number, state: ChannelState, facts: Partial<ChannelStatus>): void {
    this.#tell(state, { ...facts, retryAt: this.surroundings.now() + wait });
    this.#retry.set(wait, () => this.#begin());
  }

  /** Blocked: until a person reviews it. */
  #stop(state: 'blocked' | 'closed', reason: string): void {
    this.#callOff();
    this.#drop();
    this.traffic.end(LOST);
    this.#tell(state, { reason });
  }

  #again(): void {
    this.#drop();
    this.#begin();
  }

  /** Ends the session without consequences. */
  #drop(): void {
    const session = this.#session;
    this.#session = undefined;
    this.#heartbeat.stop();
    session?.close(CloseReason.CLOSED_BY_CLIENT);
    if (session) this.socket.detach(session.channelId);
  }

  get #isBlocked(): boolean {
    return this.#status.state === 'blocked' && !awaitsApproval(this.#status.reason);
  }

  #schedule(): void {
    const session = this.#session;
    const deadline = session?.deadline;
    if (!session || deadline === undefined) return this.#deadline.clear();
    const { now } = this.surroundings;
    this.#deadline.set(deadline - now(), () => {
      session.expire(now());
      this.pump();
    });
  }

  #callOff(): void {
    this.#attempt += 1;
    this.#trying = false;
    this.#retry.clear();
    this.#deadline.clear();
  }

  #tell(state: ChannelState, facts: Partial<ChannelStatus>): void {
    this.#status = { ...this.#facts, ...facts, workerId: this.workerId, state };
    this.surroundings.tell({ kind: 'status', status: this.#status });
  }
}
