// What comes before a handshake, and what a claim needs: the Worker's key and mode, trust in them, the
// device's signature.

import { type PublicKey, parsePublicKey } from '../crypto/public-key';
import type { SignedParts } from '../crypto/signed';
import type { Signed } from '../gen/leapmux/v1/channel_pb';
import { fitting } from './certificates';
import type { Parameters } from './parameters';
import type { Ending, SessionEvent } from './session-events';
import type { Surroundings } from './surroundings';
import type { Trust, TrustGo } from './trust';

/** What an attempt rests on. */
export interface Basis { offered: Parameters; workerKey: PublicKey; verdict: TrustGo; certificates: Signed[] }

export type Prepared =
  | { go: true; basis: Basis }
  | { go: false; failed: Ending }
  | { go: false; stopped: string };

/** Undefined once it is no longer current: then no question is asked either. */
export async function prepare(workerId: string, surroundings: Surroundings, trust: Trust, isCurrent: () => boolean): Promise<Prepared | undefined> {
  const asked = surroundings.certificates(workerId).catch(() => []);
  const offered = await surroundings.parameters(workerId);
  if (!isCurrent()) return undefined;
  if (!offered.online) return { go: false, failed: { reason: 'worker_offline' } };
  const workerKey = parsePublicKey(offered.publicKey);
  const verdict = await trust.judge(workerId, offered);
  const certificates = await asked;
  if (!isCurrent()) return undefined;
  return verdict.go ? { go: true, basis: { offered, workerKey, verdict, certificates } } : { go: false, stopped: verdict.reason };
}

/** The claim, and what speaks for the device that signs it. */
export async function signClaim(surroundings: Surroundings, { offered: { mode }, certificates }: Basis, wish: Extract<SessionEvent, { kind: 'sign' }>): Promise<{ signed: SignedParts; certificates: Signed[] }> {
  const device = await surroundings.device();
  const signed = await device.sign(mode, 'leapmux user claim v1', wish.context, wish.body, surroundings.random(32));
  return { signed, certificates: fitting(certificates, mode, device.publicKey(mode)) };
}
