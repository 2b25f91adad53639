// Whether to go on with the key and mode that a Worker offers now. The answer of a person is asked for
// once per Worker; a rejection is remembered for the session; everything that is not a clear yes is no.

import { fromBinary } from '@bufbuild/protobuf';
import type { Mode } from '../crypto/mode';
import { stops } from '../crypto/pin';
import { SLH_KEY_LEN } from '../crypto/public-key';
import { fullFingerprint } from '../crypto/fingerprint';
import { verify } from '../crypto/signed';
import { type Bytes, equalBytes, identifier } from '../crypto/wire';
import { RotationCertificateSchema, SignedSchema } from '../gen/leapmux/v1/channel_pb';
import type { TrustQuestion } from './door';
import type { Parameters } from './parameters';
import type { Offer, Pin } from './pins';
import type { Surroundings } from './surroundings';

export type TrustReason = 'key_changed' | 'mode_weaker' | 'key_and_mode' | 'registration_mismatch' | 'storage_failed';

/** `agreed` is the pin that may be replaced; `vouched` names the registration whose secret proved the key. */
export interface TrustGo { go: true; pin?: Pin; agreed?: Pin; rotationSerial: number; dropped: boolean; vouched?: string }
export type TrustVerdict =
  | TrustGo
  | { go: false; reason: TrustReason; pin?: Pin };

export class Trust {
  #asked: { offer: Offer; answer: Promise<boolean> } | undefined;

  constructor(private readonly surroundings: Surroundings) {}

  /** A person wants to see the question again; or the answer has served its purpose. */
  forget(): void {
    this.#asked = undefined;
  }

  async judge(workerId: string, offered: Parameters): Promise<TrustVerdict> {
    const offer: Offer = { workerId, publicKey: offered.publicKey, mode: offered.mode };
    const store = await this.surroundings.pins().catch(() => undefined);
    const consulted = await store?.consult(offer, this.surroundings.date()).catch(() => undefined);
    if (!consulted) return { go: false, reason: 'storage_failed' };
    const { verdict, pin, dropped } = consulted;
    if (!stops(verdict) || !pin) return this.#vouched(offered, { go: true, pin, rotationSerial: 0, dropped });
    const rotationSerial = verdict === 'key-changed' ? followedRotation(workerId, pin, offered) : 0;
    if (rotationSerial > 0) return { go: true, pin, agreed: pin, rotationSerial, dropped };
    if (await this.#answer(offer, verdict, pin)) return { go: true, pin, agreed: pin, rotationSerial: 0, dropped };
    return { go: false, reason: REASONS[verdict], pin };
  }

  /**
   * The Worker has accepted the claim: now, and only now, the pin is written. False if another tab has
   * pinned another key meanwhile; rejects if the storage fails.
   */
  async confirm(workerId: string, offered: Parameters, verdict: TrustGo): Promise<boolean> {
    const { pins, date, words } = this.surroundings;
    const { publicKey, mode } = offered;
    const known = (!verdict.agreed && verdict.pin?.words) || words(publicKey);
    const { agreed, rotationSerial, vouched } = verdict;
    const offer = { workerId, publicKey, mode };
    const isKept = await (await pins()).confirm(offer, date(), { words: known, agreed, rotationSerial, verified: vouched !== undefined });
    // The Worker has been met: the secret has done its work.
    if (isKept && vouched !== undefined) await (await this.surroundings.registrations()).forget(vouched);
    return isKept;
  }

  /** A key that came by a registration made here has to be the one that its secret proves. */
  async #vouched(offered: Parameters, go: TrustGo): Promise<TrustVerdict> {
    if (go.pin?.verified) return go;
    const store = await this.surroundings.registrations().catch(() => undefined);
    const said = await store?.judge(offered).catch(() => undefined);
    switch (said) {
      case undefined: return { go: false, reason: 'storage_failed', pin: go.pin };
      case 'none': return go;
      case 'good': return { ...go, vouched: offered.registrationId };
      case 'wrong': return { go: false, reason: 'registration_mismatch', pin: go.pin };
    }
  }

  /** An offer is put to a person once: who asks again meanwhile, or later, gets the same answer. */
  #answer(offer: Offer, kind: TrustQuestion['kind'], pin: Pin): Promise<boolean> {
    const asked = this.#asked;
    if (asked && asked.offer.mode === offer.mode && equalBytes(asked.offer.publicKey, offer.publicKey)) return asked.answer;
    const answer = this.#ask(questionOf(kind, pin, offer, this.surroundings));
    this.#asked = { offer, answer };
    return answer;
  }

  async #ask(question: TrustQuestion): Promise<boolean> {
    try {
      return await this.surroundings.trust(question) === 'accept';
    } catch {
      return false;
    }
  }
}

const REASONS = { 'key-changed': 'key_changed', 'mode-weaker': 'mode_weaker', 'key-and-mode': 'key_and_mode' } as const;

function questionOf(kind: TrustQuestion['kind'], pin: Pin, offer: Offer, { words }: Surroundings): TrustQuestion {
  const facts = (key: Bytes, mode: Mode, known?: string) => ({ words: known || words(key), full: fullFingerprint(key), mode });
  return {
    workerId: offer.workerId, kind,
    expected: { ...facts(pin.publicKey, pin.mode, pin.words), firstSeen: pin.firstSeen, lastUsed: pin.lastUsed },
    actual: facts(offer.publicKey, offer.mode),
  };
}

/**
 * The serial of a valid certificate by which the pinned SLH-DSA key names the offered key as its
 * successor, else 0. Classic mode has no rotation, and its handshake proves only the X25519 half: an
 * SLH-DSA key that was pinned in it is nobody's proof.
 */
export function followedRotation(workerId: string, pin: Pin, offered: Parameters): number {
  if (offered.rotation.length === 0 || offered.mode !== 'post-quantum' || pin.mode !== 'post-quantum') return 0;
  try {
    const signed = fromBinary(SignedSchema, offered.rotation);
    if (!equalBytes(signed.key, pin.publicKey.subarray(-SLH_KEY_LEN))) return 0;
    const { algorithm, key, body, signature } = signed as { algorithm: number; key: Bytes; body: Bytes; signature: Bytes };
    verify(offered.mode, 'leapmux rotation v1', identifier(workerId), { algorithm, key, body, signature });
    const { newPublicKey, serial } = fromBinary(RotationCertificateSchema, body);
    const follows = equalBytes(newPublicKey, offered.publicKey) && serial > BigInt(pin.rotationSerial);
    return follows && serial <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(serial) : 0;
  } catch {
    return 0;
  }
}
