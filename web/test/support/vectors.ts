import { readFileSync } from 'node:fs';
import { hexToBytes } from '../../src/crypto/wire';
import type { Bytes } from '../../src/crypto/wire';

const ROOT = new URL('../../../crypto/vectors/', import.meta.url);

/** A vector file, the same that the Rust side checks. */
export function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, ROOT), 'utf8')) as T;
}

export const hex = (text: string): Bytes => hexToBytes(text) as Bytes;

export interface WorkerVector {
  x25519_secret_key: string; ml_kem_1024_seed_d_z: string;
  slh_dsa_sk_seed: string; slh_dsa_sk_prf: string; slh_dsa_pk_seed: string;
  composite_public_key: string;
}
export interface FrameVector { counter: number; associated_data: string; plaintext: string; ciphertext: string }
export interface HandshakeVector {
  worker: WorkerVector;
  prologue: { mode: 'classic' | 'post-quantum'; channel_id: string; worker_id: string; user_id: string; bytes: string };
  client_randomness: { e_secret_key: string; encapsulation_m?: string; ephemeral_ml_kem_1024_seed_d_z?: string };
  worker_randomness: { e2_secret_key: string; encapsulation_m?: string; slh_dsa_opt_rand?: string };
  message_1: string; message_2: string; handshake_hash: string; renewal_secret: string;
  client_frames: FrameVector[]; worker_frames: FrameVector[];
}
export interface RenewalVector extends Omit<HandshakeVector, 'prologue' | 'message_1' | 'message_2' | 'handshake_hash'> {
  mode: 'classic' | 'post-quantum';
  base_hash: string; base_renewal_secret: string; serial: number; base: number;
  client_received: number; worker_received: number; renew_noise: string; renewed_noise: string; hash: string;
}
export interface StatementVector {
  label: 'leapmux user claim v1' | 'leapmux device v1' | 'leapmux grant v1' | 'leapmux rotation v1';
  mode: 'classic' | 'post-quantum'; algorithm: 1 | 2 | 3;
  context: string; key: string; body: string; signature: string; ml_dsa_65_rnd?: string;
}
