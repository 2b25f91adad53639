/**
 * A registration key from its making to the Worker that came with it. The command that carries its
 * secret is on this screen and nowhere else; while the dialog is open the key is kept alive, and when
 * it is closed before a Worker has come the key is dead.
 */

import { computed, effect, signal } from '@preact/signals';
import {
  CreateRegistrationKeyRequestSchema,
  CreateRegistrationKeyResponseSchema,
  ExtendRegistrationKeyRequestSchema,
  ExtendRegistrationKeyResponseSchema,
  GetHandshakeParametersRequestSchema,
  GetHandshakeParametersResponseSchema,
  RevokeRegistrationKeyRequestSchema,
  RevokeRegistrationKeyResponseSchema,
} from '../gen/leapmux/v1/workers_pb';
import { RpcFailure, lastWord, rpc } from '../hub/rpc';
import { channels, statuses } from './channels';
import { isMine, readWorkers, workers } from './workers';

export interface Wish {
  userId: string;
  name: string;
  /** Empty: the personal one. */
  organisationId: string;
  mode: 'classic' | 'post-quantum';
}

/** A key lives five minutes; the Hub lets it live longer only in its last two. */
const LIFE_MS = 5 * 60_000;
const EXTEND_BELOW_MS = 115_000;
const EXTEND_AGAIN_MS = 5_000;

export class Registration {
  readonly phase = signal<'waiting' | 'expired' | 'met'>('waiting');
  readonly copied = signal(false);
  /** Milliseconds on `performance.now()`: the Hub's clock and this one need not agree. */
  readonly deadline = signal(performance.now() + LIFE_MS);
  readonly workerId = signal<string | undefined>(undefined);

  /** What became of the key of the Worker that came. */
  readonly proof = computed<'pending' | 'verified' | 'wrong' | 'unproved'>(() => {
    const status = statuses.value.get(this.workerId.value ?? '');
    if (status?.reason === 'registration_mismatch') return 'wrong';
    if (status?.state !== 'ready') return 'pending';
    return status.verified ? 'verified' : 'unproved';
  });

  #expires: bigint;
  #nextExtension = 0;
  #extending = false;
  #closed = false;
  readonly #known = new Set((workers.peek() ?? []).map((worker) => worker.workerId));
  readonly #undo: (() => void)[] = [];

  private constructor(readonly id: string, readonly command: string, expires: bigint, private readonly userId: string) {
    this.#expires = expires;
    const timer = setInterval(() => this.#tick(), 1_000);
    const gone = () => this.#leave();
    addEventListener('pagehide', gone);
    this.#undo.push(() => clearInterval(timer), () => removeEventListener('pagehide', gone));
    this.#undo.push(effect(() => this.#look()));
  }

  /** Throws what the Hub refused. */
  static async begin(wish: Wish): Promise<Registration> {
    const made = await channels().work('begin-registration', { userId: wish.userId, mode: wish.mode });
    const { registrationId, algorithm: deviceAlgorithm, deviceKey, deviceTag } = made;
    const init = { registrationId, deviceAlgorithm, deviceKey, deviceTag, workerName: wish.name, organisationId: wish.organisationId };
    try {
      const { expiresUnixMs } = await rpc('WorkerService/CreateRegistrationKey', CreateRegistrationKeyRequestSchema, init, CreateRegistrationKeyResponseSchema);
      const command = commandFor(location.origin, `${registrationId}.${made.secret}`, wish.mode);
      return new Registration(registrationId, command, expiresUnixMs, wish.userId);
    } catch (error) {
      await channels().work('forget-registration', { registrationId }).catch(() => undefined);
      throw error;
    }
  }

  /** Without a Worker the key dies; with one there is nothing left to kill. */
  async close(): Promise<void> {
    if (!this.#end() || this.workerId.peek() !== undefined) return;
    await channels().work('forget-registration', { registrationId: this.id }).catch(() => undefined);
    await rpc('WorkerService/RevokeRegistrationKey', RevokeRegistrationKeyRequestSchema, { registrationId: this.id }, RevokeRegistrationKeyResponseSchema);
  }

  #end(): boolean {
    if (this.#closed) return false;
    this.#closed = true;
    this.#undo.forEach((run) => run());
    return true;
  }

  /** The page goes: what it says now is all that it can say. */
  #leave(): void {
    if (this.phase.peek() !== 'waiting') return;
    lastWord('WorkerService/RevokeRegistrationKey', RevokeRegistrationKeyRequestSchema, { registrationId: this.id });
  }

  #tick(): void {
    if (this.phase.peek() !== 'waiting') return;
    const now = performance.now();
    const left = this.deadline.peek() - now;
    if (left <= 0) this.phase.value = 'expired';
    else if (left < EXTEND_BELOW_MS && now >= this.#nextExtension) void this.#extend(now);
  }

  async #extend(now: number): Promise<void> {
    if (this.#extending) return;
    this.#extending = true;
    this.#nextExtension = now + EXTEND_AGAIN_MS;
    try {
      const { expiresUnixMs } = await rpc('WorkerService/ExtendRegistrationKey', ExtendRegistrationKeyRequestSchema, { registrationId: this.id }, ExtendRegistrationKeyResponseSchema);
      this.deadline.value += Number(expiresUnixMs - this.#expires);
      this.#expires = expiresUnixMs;
    } catch (error) {
      // Used, it may be: then the Worker is in the list.
      if (error instanceof RpcFailure && error.code === 'not_found') void readWorkers();
    } finally {
      this.#extending = false;
    }
  }

  /** Each Worker that was not there before is asked for the registration that it came by. */
  #look(): void {
    for (const worker of workers.value ?? []) {
      if (this.#known.has(worker.workerId)) continue;
      this.#known.add(worker.workerId);
      if (isMine(worker)) void this.#compare(worker.workerId);
    }
  }

  async #compare(workerId: string): Promise<void> {
    try {
      const { registrationId } = await rpc('WorkerService/GetHandshakeParameters', GetHandshakeParametersRequestSchema, { workerId }, GetHandshakeParametersResponseSchema);
      if (registrationId !== this.id || this.#closed) return;
    } catch {
      this.#known.delete(workerId);
      return;
    }
    this.workerId.value = workerId;
    this.phase.value = 'met';
    // The thread has the secret and judges the key; a person has nothing to compare.
    channels().open(workerId, this.userId);
  }
}

/** The key comes by standard input: what stands in arguments, others on the machine can read. */
export function commandFor(hub: string, key: string, mode: Wish['mode']): string {
  const flag = mode === 'classic' ? ' --encryption-mode classic' : '';
  return `leapmux worker --hub ${hub}${flag} --registration-key-file - <<< ${key}`;
}
