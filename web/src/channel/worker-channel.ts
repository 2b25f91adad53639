// The channel to one Worker, kept open: parameters, trust, handshake, claim. After a loss it is attached
// again, and only where that cannot be is a new one opened in its place.

import { Alarm } from './alarm';
import { type Basis, prepare, signClaim } from './attempt';
import { Backoff } from './backoff';
import type { ChannelState, ChannelStatus } from './door';
import { approvalBackoff, awaitsApproval, failureOf, isFinal } from './endings';
import { Heartbeat } from './heartbeat';
import { CloseReason } from './reasons';
import { Report } from './report';
import { routeOf } from './route';
import { Session } from './session';
import type { Ending, SessionEvent } from './session-events';
import type { Socket } from './socket';
import { type Surroundings, draw } from './surroundings';
import { LOST, Traffic } from './traffic';
import { Trust } from './trust';

export class WorkerChannel {
  readonly traffic: Traffic;
  readonly #trust: Trust;
  readonly #heartbeat: Heartbeat;
  readonly #backoff = new Backoff();
  readonly #approval = approvalBackoff();
  readonly #report: Report;
  #session: Session | undefined;
  #basis: Basis | undefined;
  /** The pin of this session's Worker has been written. */
  #isConfirmed = false;
  #userId = '';
  #wanted = false;
  /** Rises with each attempt: what an older one learns late is dropped. */
  #attempt = 0;
  #trying = false;
  readonly #retry: Alarm;
  readonly #deadline: Alarm;

  constructor(private readonly workerId: string, private readonly surroundings: Surroundings, private readonly socket: Socket) {
    this.#report = new Report(workerId, surroundings);
    this.#trust = new Trust(surroundings);
    this.#heartbeat = new Heartbeat(surroundings, socket, () => this.#backoff.reset());
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
    // A session that is left waits for the next socket, and all that is open on it waits with it.
    this.#retry.clear();
    if (!this.#session) {
      this.#callOff();
      this.traffic.end(LOST);
    }
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
    await this.#report.learn(this.#basis!.offered);
    if (this.#status.state === 'ready') this.#tell('ready', { rttMs: this.#status.rttMs });
  }

  #begin(): void {
    if (this.#session?.phase === 'detached') return this.#attachAgain(this.#session);
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

  #attachAgain(session: Session): void {
    this.#retry.clear();
    if (!this.socket.isOpen) return this.socket.want();
    this.#tell('reconnecting', { reason: this.#status.reason });
    session.renew(this.surroundings.now());
    this.pump();
  }

  async #try(isCurrent: () => boolean, quiet: boolean): Promise<void> {
    const { workerId, surroundings } = this;
    const prepared = await prepare(workerId, surroundings, this.#trust, isCurrent);
    if (!prepared) return;
    if (!prepared.go) return 'failed' in prepared ? this.#failed(prepared.failed) : this.#stop('blocked', prepared.stopped);
    this.#basis = prepared.basis;
    const { offered: { mode }, workerKey, verdict } = prepared.basis;
    if (verdict.dropped) this.#report.pinDropped();
    const { now, random } = surroundings;
    const session = new Session({ mode, workerKey, channelId: random(16), workerId, userId: this.#userId, random, now: now() });
    this.#session = session;
    this.#isConfirmed = false;
    this.socket.attach(session.channelId, routeOf(session, now, (heard) => {
      if (heard) this.#heartbeat.heard();
      this.pump();
    }));
    if (!quiet) this.#tell('securing', { mode });
    this.pump();
  }

  #heed(session: Session, event: SessionEvent): void {
    switch (event.kind) {
      case 'sign': return void this.#prove(session, event);
      case 'ready': return void this.#confirm(session);
      case 'pong': return this.#tell('ready', { rttMs: Math.round(event.rtt) });
      case 'renewing': return this.#heartbeat.stop();
      case 'renewed': return this.#isConfirmed ? this.#serve(session) : undefined;
      case 'detached': return this.#detached(event);
      case 'closed': return this.#ended(session, event.ending);
      default: return this.traffic.heed(event);
    }
  }

  async #prove(session: Session, event: Extract<SessionEvent, { kind: 'sign' }>): Promise<void> {
    const basis = this.#basis!;
    if (this.#status.state === 'securing') this.#tell('proving', { mode: basis.offered.mode });
    try {
      const { signed, certificates } = await signClaim(this.surroundings, basis, event);
      session.prove(event.epoch, signed, certificates, this.surroundings.now());
    } catch {
      if (this.#session === session) return this.#stop('blocked', 'storage_failed');
    }
    this.pump();
  }

  async #confirm(session: Session): Promise<void> {
    const { offered, verdict } = this.#basis!;
    const isCurrent = () => this.#session === session;
    try {
      const isKept = await this.#trust.confirm(this.workerId, offered, verdict);
      if (!isKept) return isCurrent() ? this.#again() : undefined;
      await this.#report.learn(offered);
    } catch {
      return isCurrent() ? this.#stop('blocked', 'storage_failed') : undefined;
    }
    if (!isCurrent()) return;
    this.#isConfirmed = true;
    // If the path was lost meanwhile, the renewed channel serves.
    if (session.phase === 'ready') this.#serve(session);
  }

  #serve(session: Session): void {
    this.#trust.forget();
    this.#approval.reset();
    this.traffic.begin(session.mux);
    if (this.#status.state !== 'ready') this.#tell('ready', {});
    this.#heartbeat.start(session, () => this.pump());
  }

  /** Nothing ends: it goes on with the next socket, or on this one after a while. */
  #detached({ reason, retryAfter, silence }: Extract<SessionEvent, { kind: 'detached' }>): void {
    this.#heartbeat.stop();
    if (silence !== undefined && this.socket.isSilentFor(silence)) this.socket.abandon();
    else this.#tryLater(reason, retryAfter);
  }

  #again(): void {
    this.#drop();
    this.#begin();
  }

  #ended(session: Session, ending: Ending): void {
    this.socket.detach(session.channelId);
    if (this.#session !== session) return;
    this.#session = undefined;
    this.#heartbeat.stop();
    if (this.#wanted) this.#failed(ending);
  }

  #failed(ending: Ending): void {
    const { reason, retryAfter, anew } = ending;
    this.#callOff();
    this.traffic.end(LOST);
    if (awaitsApproval(reason)) return this.#awaitApproval(ending);
    // What refuses a renewal may let a new channel in: soon, and not at once, for many others were refused too.
    if (isFinal(ending) && !anew) return this.#tell('closed', { reason });
    this.#tryLater(reason, retryAfter);
  }

  /** While the socket is down it says itself when it comes back. */
  #tryLater(reason: string, hint: number | undefined): void {
    if (!this.socket.isOpen) return this.#tell('reconnecting', { reason, retryAt: this.socket.retryAt });
    this.#retryIn(this.#backoff.next(draw(this.surroundings.random), hint), 'reconnecting', { reason });
  }

  #awaitApproval(ending: Ending): void {
    const mode = this.#basis?.offered.mode ?? 'post-quantum';
    const { reason, detail } = ending;
    const retryAt = this.#retryIn(this.#approval.next(draw(this.surroundings.random)), 'blocked', { reason, detail, mode });
    void this.#report.learnDevice(mode).then(() => {
      if (this.#status.reason === reason) this.#tell('blocked', { reason, detail, mode, retryAt });
    }).catch(() => this.#stop('blocked', 'storage_failed'));
  }

  #retryIn(wait: number, state: ChannelState, facts: Partial<ChannelStatus>): number {
    const retryAt = this.surroundings.now() + wait;
    this.#tell(state, { ...facts, retryAt });
    this.#retry.set(wait, () => this.#begin());
    return retryAt;
  }

  /** Blocked: until a person reviews it. */
  #stop(state: 'blocked' | 'closed', reason: string): void {
    this.#callOff();
    this.#drop();
    this.traffic.end(LOST);
    this.#tell(state, { reason });
  }

  /** Ends the session without consequences. */
  #drop(): void {
    const session = this.#session;
    this.#session = undefined;
    this.#heartbeat.stop();
    if (!session) return;
    session.close(CloseReason.CLOSED_BY_CLIENT);
    this.socket.detach(session.channelId);
  }

  get #isBlocked(): boolean {
    return this.#status.state === 'blocked' && !awaitsApproval(this.#status.reason);
  }

  #schedule(): void {
    const { now } = this.surroundings;
    const session = this.#session;
    this.#deadline.setAt(session?.deadline, now(), () => {
      session?.expire(now());
      this.pump();
    });
  }

  #callOff(): void {
    this.#attempt += 1;
    this.#trying = false;
    this.#retry.clear();
    this.#deadline.clear();
  }

  get #status(): Readonly<ChannelStatus> {
    return this.#report.status;
  }

  #tell(state: ChannelState, facts: Partial<ChannelStatus>): void {
    this.#report.tell(state, facts);
  }
}
