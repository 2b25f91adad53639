// What one session is given, and what it says to the shell around it.

import type { Mode } from '../crypto/mode';
import type { PublicKey } from '../crypto/public-key';
import type { Bytes, RandomSource } from '../crypto/wire';
import type { Limits } from './limits';
import type { MuxEvent } from './mux';

export interface SessionParts {
  mode: Mode; workerKey: PublicKey; channelId: Bytes; workerId: string; userId: string;
  random: RandomSource; now: number; limits?: Limits;
}

/**
 * `renewing`: Renew is under way, from a live path or on a new one. `detached`: there is no path, and
 * `renew` on a new one goes on where this one ended. In neither is anything sealed or opened.
 */
export type Phase = 'opening' | 'signing' | 'proving' | 'ready' | 'renewing' | 'detached' | 'closed';

export interface Ending {
  /** Label of a close, refusal or failure. */
  reason: string;
  detail?: string;
  /** The other end's wish when to try again. */
  retryAfter?: number;
  /** The channel cannot be attached again: a new one takes its place. */
  anew?: boolean;
}

export type SessionEvent =
  | MuxEvent
  /** Sign `body` under `context` with the device's key and hand it to `prove` with this epoch. */
  | { kind: 'sign'; epoch: number; context: Bytes; body: Bytes }
  /** The first claim was accepted. */
  | { kind: 'ready' }
  | { kind: 'renewing' }
  /** A later claim was accepted: everything goes on. */
  | { kind: 'renewed' }
  /** The path is lost; `silence` is how long an answer was waited for in vain. */
  | { kind: 'detached'; reason: string; retryAfter?: number; silence?: number }
  | { kind: 'pong'; rtt: number }
  | { kind: 'closed'; ending: Ending };

/** What came too late to be judged. */
export interface Dropped { frames: number; closes: number; renewals: number }
