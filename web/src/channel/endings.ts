// What follows from the ways in which an attempt or a channel ends.

import { CryptoError } from '../crypto/error';
import { Backoff } from './backoff';
import { ParametersError } from './parameters';
import type { Ending } from './session-events';

/** Endings after which trying again by itself is pointless. */
const FINAL = new Set(['credential', 'revoked', 'not_found', 'user_id_mismatch', 'user_id_not_verified',
  'claim_invalid', 'malformed', 'closed_by_client']);

export const isFinal = (ending: Ending): boolean => FINAL.has(ending.reason);

/** The device waits for a person who approves it. */
export const awaitsApproval = (reason: string | undefined): boolean => reason === 'device_not_trusted';

/** Asked again sooner than anything else: a person is waiting before two screens. */
export const approvalBackoff = (): Backoff => new Backoff(4_000, 15_000);

export function failureOf(error: unknown): Ending {
  if (error instanceof ParametersError) return { reason: error.reason, retryAfter: error.retryAfter };
  return { reason: error instanceof CryptoError ? 'handshake_failed' : 'internal' };
}
