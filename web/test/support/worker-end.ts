// The Worker's half of handshake and renewal, so that tests run both ends without the real Worker.

import { slh_dsa_shake_256f } from '@noble/post-quantum/slh-dsa.js';
import { CryptoError } from '../../src/crypto/error';
import { openHandshake } from '../../src/crypto/handshake';
import { KemSecret, encapsulate } from '../../src/crypto/kem';
import { LENGTHS, type Mode } from '../../src/crypto/mode';
import type { Prologue } from '../../src/crypto/prologue';
import { type PublicKey, parsePublicKey } from '../../src/crypto/public-key';
import { type Renewal, openRenewal } from '../../src/crypto/renewal';
import type { Established, Root, SymmetricState } from '../../src/crypto/symmetric';
import { type Bytes, type RandomSource, ascii, concat, readU64, u64 } from '../../src/crypto/wire';
import { diffieHellman, publicKey } from '../../src/crypto/x25519';
import { type WorkerVector, hex } from './vectors';

export interface WorkerIdentity {
  public: PublicKey; x25519: Bytes; kem: KemSecret;
  /** 128 bytes; or ready-made signatures, because making one takes seconds in this language. */
  slh: Bytes;
}
export interface WorkerRandomness { e2: Bytes; encapsulation: Bytes; signature: Bytes }
export type Signer = (hash: Bytes) => Bytes;

export function workerIdentity(vector: WorkerVector): WorkerIdentity {
  const composite = parsePublicKey(hex(vector.composite_public_key));
  return {
    public: composite,
    x25519: hex(vector.x25519_secret_key),
    kem: new KemSecret(hex(vector.ml_kem_1024_seed_d_z)),
    slh: concat(hex(vector.slh_dsa_sk_seed), hex(vector.slh_dsa_sk_prf), composite.slh),
  };
}

export function drawWorkerRandomness(random: RandomSource): WorkerRandomness {
  return { e2: random(32), encapsulation: random(32), signature: random(32) };
}

export function sign(identity: WorkerIdentity, rand: Bytes): Signer {
  return (hash) => slh_dsa_shake_256f.sign(hash, identity.slh, {
    context: ascii('leapmux channel v1'), extraEntropy: rand,
  }) as Bytes;
}

export interface Share { e: Bytes; ephemeralKem: Bytes | undefined; payload: Bytes }

export function readMessage1(mode: Mode, state: SymmetricState, identity: WorkerIdentity, message: Bytes): Share {
  const e = message.slice(0, 32);
  if (e.length !== 32) throw new CryptoError('handshake');
  state.mixHash(e);
  state.mixKey(diffieHellman(identity.x25519, e));
  if (mode === 'classic') return { e, ephemeralKem: undefined, payload: state.decryptAndHash(message.slice(32)) };
  const ciphertext = message.slice(32, 32 + 1568);
  const ephemeralKem = message.slice(32 + 1568, 32 + 2 * 1568);
  state.mixHash(ciphertext);
  state.mixKey(identity.kem.decapsulate(ciphertext));
  state.mixHash(ephemeralKem);
  return { e, ephemeralKem, payload: state.decryptAndHash(message.slice(32 + 2 * 1568)) };
}

export function writeMessage2(state: SymmetricState, share: Share, random: WorkerRandomness,
  payload: (hash: Bytes) => Bytes): Bytes {
  const e2 = publicKey(random.e2);
  state.mixHash(e2);
  state.mixKey(diffieHellman(random.e2, share.e));
  const parts = [e2];
  if (share.ephemeralKem) {
    const { ciphertext, secret } = encapsulate(share.ephemeralKem, random.encapsulation);
    state.mixHash(ciphertext);
    state.mixKey(secret);
    parts.push(ciphertext);
  }
  return concat(...parts, state.encryptAndHash(payload(state.hash)));
}

export function answerHandshake(identity: WorkerIdentity, prologue: Prologue, message1: Bytes,
  random: WorkerRandomness, signer: Signer = sign(identity, random.signature)): { established: Established; message2: Bytes } {
  const { mode } = prologue;
  if (message1.length !== LENGTHS[mode].message1) throw new CryptoError('handshake');
  const state = openHandshake(mode, prologue, identity.public);
  const share = readMessage1(mode, state, identity, message1);
  const message2 = writeMessage2(state, share, random, (hash) => mode === 'classic' ? new Uint8Array(0) : signer(hash));
  return { established: state.split('worker'), message2 };
}

export function answerRenewal(identity: WorkerIdentity, renewal: Renewal, root: Root, noise: Bytes,
  random: WorkerRandomness): { established: Established; received: bigint; noise: Bytes } {
  const { mode } = renewal;
  if (noise.length !== LENGTHS[mode].renew) throw new CryptoError('handshake');
  const state = openRenewal(renewal, root);
  const share = readMessage1(mode, state, identity, noise);
  const message = writeMessage2(state, share, random, () => u64(renewal.received));
  return { established: state.split('worker'), received: readU64(share.payload), noise: message };
}

export interface WorkerEpoch { number: number; keys: Established }
export interface RenewRequest { serial: number; base: number; noise: Bytes }
export type RenewVerdict = { noise: Bytes; received: bigint } | 'stale' | 'handshake';

/** The epochs of one channel at the Worker: the current one and at most one candidate beside it. */
export class WorkerEpochs {
  current: WorkerEpoch;
  candidate: WorkerEpoch | undefined;
  #accepted = 0;

  constructor(private readonly mode: Mode, private readonly identity: WorkerIdentity, handshake: Established,
    private readonly random: RandomSource) {
    this.current = { number: 0, keys: handshake };
  }

  /** `received`: counted frames decrypted so far. Whatever is refused changes nothing. */
  renew({ serial, base, noise }: RenewRequest, received: bigint): RenewVerdict {
    const from = [this.current, this.candidate].find((epoch) => epoch?.number === base);
    if (serial <= this.#accepted || !from) return 'stale';
    try {
      const renewal = { mode: this.mode, serial, base, received };
      const answer = answerRenewal(this.identity, renewal, from.keys.root, noise, drawWorkerRandomness(this.random));
      if (from === this.candidate) this.promote();
      wipe(this.candidate);
      this.#accepted = serial;
      this.candidate = { number: serial, keys: answer.established };
      return { noise: answer.noise, received: answer.received };
    } catch {
      return 'handshake';
    }
  }

  /** The candidate's claim was accepted, or a Renew is based on it. */
  promote(): void {
    if (!this.candidate) return;
    wipe(this.current);
    this.current = this.candidate;
    this.candidate = undefined;
  }

  /** The one epoch whose frames are opened now. */
  get open(): WorkerEpoch {
    return this.candidate ?? this.current;
  }

  /** Nothing is sealed between a valid Renew and its claim. */
  get maySeal(): boolean {
    return this.candidate === undefined;
  }
}

function wipe(epoch: WorkerEpoch | undefined): void {
  epoch?.keys.sealer.wipe();
  epoch?.keys.opener.wipe();
  epoch?.keys.root.wipe();
}
