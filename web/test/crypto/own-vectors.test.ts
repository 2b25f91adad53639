// The vectors that the Rust side wrote: every value of them made here as well, byte for byte.

import { describe, expect, it } from 'vitest';
import { DeviceKey, halvesFromSeeds } from '../../src/crypto/device';
import type { ClientRandomness } from '../../src/crypto/exchange';
import { fingerprint } from '../../src/crypto/fingerprint';
import { AwaitingReply } from '../../src/crypto/handshake';
import { prologue } from '../../src/crypto/prologue';
import { deviceTag, workerTag, workerTagVerifies } from '../../src/crypto/registration';
import { AwaitingRenewal } from '../../src/crypto/renewal';
import { verify } from '../../src/crypto/signed';
import { type Established, Root } from '../../src/crypto/symmetric';
import { Opener, Sealer } from '../../src/crypto/transport';
import { type Bytes, bytesToHex } from '../../src/crypto/wire';
import { answerHandshake, answerRenewal, workerIdentity } from '../support/worker-end';
import {
  type FrameVector, type HandshakeVector, type RenewalVector, type StatementVector, hex, vectors,
} from '../support/vectors';

const optional = (text: string | undefined): Bytes => hex(text ?? '');
const clientRandomness = (v: HandshakeVector['client_randomness']): ClientRandomness => ({
  e: hex(v.e_secret_key), encapsulation: optional(v.encapsulation_m),
  ephemeralKem: optional(v.ephemeral_ml_kem_1024_seed_d_z),
});
const workerRandomness = (v: HandshakeVector['worker_randomness']) => ({
  e2: hex(v.e2_secret_key), encapsulation: optional(v.encapsulation_m), signature: optional(v.slh_dsa_opt_rand),
});

function checkFrames(client: Established, worker: Established, toWorker: FrameVector[], toClient: FrameVector[]) {
  const directions = [[client.sealer, worker.opener, toWorker], [worker.sealer, client.opener, toClient]] as const;
  for (const [sealer, opener, frames] of directions) {
    for (const frame of frames) {
      const associated = hex(frame.associated_data);
      expect(sealer.counter).toBe(frame.counter);
      expect(bytesToHex(sealer.seal(associated, hex(frame.plaintext)))).toBe(frame.ciphertext);
      expect(bytesToHex(opener.open(associated, hex(frame.ciphertext)))).toBe(frame.plaintext);
    }
  }
}

describe.each(['handshake_classic.json', 'handshake_post_quantum.json'])('%s', (file) => {
  const v = vectors<HandshakeVector>(file);

  it('gives the same bytes at both ends', () => {
    const worker = workerIdentity(v.worker);
    const { mode } = v.prologue;
    const agreed = prologue(mode, hex(v.prologue.channel_id), v.prologue.worker_id, v.prologue.user_id);
    expect(bytesToHex(agreed.bytes)).toBe(v.prologue.bytes);

    const awaiting = new AwaitingReply(mode, agreed, worker.public, clientRandomness(v.client_randomness));
    expect(bytesToHex(awaiting.message1)).toBe(v.message_1);
    const answer = answerHandshake(worker, agreed, hex(v.message_1), workerRandomness(v.worker_randomness));
    expect(bytesToHex(answer.message2)).toBe(v.message_2);

    const client = awaiting.finish(hex(v.message_2));
    for (const side of [client, answer.established]) {
      expect(bytesToHex(side.root.hash)).toBe(v.handshake_hash);
      expect(bytesToHex(side.root.renewalSecret)).toBe(v.renewal_secret);
    }
    checkFrames(client, answer.established, v.client_frames, v.worker_frames);
  });
});

describe.each(['renewal_classic.json', 'renewal_post_quantum.json'])('%s', (file) => {
  const v = vectors<RenewalVector>(file);

  it('gives the same bytes at both ends', () => {
    const worker = workerIdentity(v.worker);
    const root = () => new Root(hex(v.base_hash), hex(v.base_renewal_secret));
    const numbers = { mode: v.mode, serial: v.serial, base: v.base };
    const awaiting = new AwaitingRenewal({ ...numbers, received: BigInt(v.client_received) }, root(), worker.public,
      clientRandomness(v.client_randomness));
    expect(bytesToHex(awaiting.message1)).toBe(v.renew_noise);
    const answer = answerRenewal(worker, { ...numbers, received: BigInt(v.worker_received) }, root(),
      hex(v.renew_noise), workerRandomness(v.worker_randomness));
    expect(answer.received).toBe(BigInt(v.client_received));
    expect(bytesToHex(answer.noise)).toBe(v.renewed_noise);

    const client = awaiting.finish(hex(v.renewed_noise));
    expect(client.received).toBe(BigInt(v.worker_received));
    expect(bytesToHex(client.established.root.hash)).toBe(v.hash);
    expect(bytesToHex(client.established.root.renewalSecret)).toBe(v.renewal_secret);
    checkFrames(client.established, answer.established, v.client_frames, v.worker_frames);
  });
});

describe('statements.json', () => {
  const v = vectors<{
    device: { ed25519_secret_key: string; ml_dsa_65_seed: string; public_key_classic: string; public_key_post_quantum: string };
    statements: StatementVector[];
  }>('statements.json');
  const device = new DeviceKey(halvesFromSeeds(hex(v.device.ed25519_secret_key), hex(v.device.ml_dsa_65_seed)));

  it('derives the same public keys from the same seeds', () => {
    expect(bytesToHex(device.publicKey('classic'))).toBe(v.device.public_key_classic);
    expect(bytesToHex(device.publicKey('post-quantum'))).toBe(v.device.public_key_post_quantum);
  });

  it.each(v.statements)('verifies, and a device makes, $label in $mode mode', async (statement) => {
    const parts = {
      algorithm: statement.algorithm, key: hex(statement.key), body: hex(statement.body), signature: hex(statement.signature),
    };
    verify(statement.mode, statement.label, hex(statement.context), parts);
    if (statement.algorithm === 3) return;
    const own = await device.sign(statement.mode, statement.label, hex(statement.context), hex(statement.body),
      optional(statement.ml_dsa_65_rnd));
    expect(own.algorithm).toBe(statement.algorithm);
    expect(bytesToHex(own.signature)).toBe(statement.signature);
  });

  it.each(v.statements)('refuses $label of $mode mode once anything is altered', (statement) => {
    const field = (name: 'key' | 'body' | 'signature') => hex(statement[name]);
    const parts = { algorithm: statement.algorithm, key: field('key'), body: field('body'), signature: field('signature') };
    const refused = (altered: Partial<typeof parts>, context = hex(statement.context), mode = statement.mode) =>
      expect(() => verify(mode, statement.label, context, { ...parts, ...altered })).toThrow();
    const flip = (bytes: Bytes, at: number) => {
      bytes[at]! ^= 1;
      return bytes;
    };
    refused({ body: flip(field('body'), 3) });
    refused({ key: flip(field('key'), 5) });
    refused({ signature: flip(field('signature'), 40) });
    refused({ signature: flip(field('signature'), field('signature').length - 40) });
    refused({ signature: field('signature').slice(1) });
    refused({ algorithm: statement.algorithm === 1 ? 2 : 1 });
    refused({}, flip(hex(statement.context), 0));
    refused({}, undefined, statement.mode === 'classic' ? 'post-quantum' : 'classic');
  });
});

describe('registration.json', () => {
  const v = vectors<{
    id: string; secret: string; worker: { public_key: string; tag: string };
    devices: { user_id: string; algorithm: number; public_key: string; tag: string }[];
  }>('registration.json');

  it('makes and checks the same tags', () => {
    const [secret, key, tag] = [hex(v.secret), hex(v.worker.public_key), hex(v.worker.tag)];
    expect(bytesToHex(workerTag(secret, v.id, key))).toBe(v.worker.tag);
    expect(workerTagVerifies(secret, v.id, key, tag)).toBe(true);
    expect(workerTagVerifies(secret, v.id, key, new Uint8Array(0))).toBe(false);
    expect(workerTagVerifies(secret, `${v.id}x`, key, tag)).toBe(false);
    expect(v.devices.length).toBeGreaterThan(1);
    for (const device of v.devices) {
      const made = deviceTag(secret, v.id, device.user_id, device.algorithm, hex(device.public_key));
      expect(bytesToHex(made)).toBe(device.tag);
    }
  });
});

describe('fingerprint.json', () => {
  const v = vectors<{ fingerprints: { kind: string; public_key: string; fingerprint: string }[] }>('fingerprint.json');

  it.each(v.fingerprints)('gives the same four words for a $kind key', (entry) => {
    expect(fingerprint(hex(entry.public_key))).toBe(entry.fingerprint);
  });
});

describe('frame.json', () => {
  const v = vectors<{ key: string; counter: number; associated_data: string; plaintext: string; ciphertext: string }>('frame.json');

  it('seals and opens with the header as associated data', () => {
    const associated = hex(v.associated_data);
    expect(bytesToHex(new Sealer(hex(v.key), v.counter).seal(associated, hex(v.plaintext)))).toBe(v.ciphertext);
    expect(bytesToHex(new Opener(hex(v.key), v.counter).open(associated, hex(v.ciphertext)))).toBe(v.plaintext);
    expect(() => new Opener(hex(v.key), v.counter).open(new Uint8Array(9), hex(v.ciphertext))).toThrow('does not decrypt');
  });
});
