// What an attacker on the way can do to a handshake, and what becomes of it.

import { describe, expect, it } from 'vitest';
import { AwaitingReply } from '../../src/crypto/handshake';
import { LENGTHS, type Mode } from '../../src/crypto/mode';
import { prologue } from '../../src/crypto/prologue';
import { parsePublicKey } from '../../src/crypto/public-key';
import { HARD_LIMIT, Opener, PLAINTEXT_MAX, SOFT_LIMIT, Sealer } from '../../src/crypto/transport';
import { type Bytes, concat } from '../../src/crypto/wire';
import { type Signer, answerHandshake, drawWorkerRandomness, sign, workerIdentity } from '../support/worker-end';
import { type HandshakeVector, hex, vectors } from '../support/vectors';

const random = (length: number): Bytes => crypto.getRandomValues(new Uint8Array(length));
const VECTOR = {
  classic: vectors<HandshakeVector>('handshake_classic.json'),
  'post-quantum': vectors<HandshakeVector>('handshake_post_quantum.json'),
};
const worker = workerIdentity(VECTOR.classic.worker);
const agreedOf = (mode: Mode, over: Partial<{ channelId: Bytes; workerId: string; userId: string }> = {}) =>
  prologue(mode, over.channelId ?? new Uint8Array(16).fill(1), over.workerId ?? 'worker', over.userId ?? 'user');
const start = (mode: Mode, agreed = agreedOf(mode)) => new AwaitingReply(mode, agreed, worker.public, {
  e: random(32), encapsulation: random(32), ephemeralKem: random(64),
});
/** The answer without the seconds of a signature, where only message 1 is looked at. */
const noSignature: Signer = () => new Uint8Array(49_856);
const answer = (mode: Mode, message1: Bytes, agreed = agreedOf(mode)) =>
  answerHandshake(worker, agreed, message1, drawWorkerRandomness(random), noSignature);
const flipped = (bytes: Bytes, at: number, bit = 1): Bytes => {
  const copy = bytes.slice();
  copy[at]! ^= bit;
  return copy;
};
/** The client of the fixed vector again and again, because making a signature takes seconds. */
const fixedClient = (mode: Mode) => {
  const v = VECTOR[mode];
  const agreed = prologue(mode, hex(v.prologue.channel_id), v.prologue.worker_id, v.prologue.user_id);
  const { e_secret_key: e, encapsulation_m: m = '', ephemeral_ml_kem_1024_seed_d_z: seed = '' } = v.client_randomness;
  return new AwaitingReply(mode, agreed, worker.public, { e: hex(e), encapsulation: hex(m), ephemeralKem: hex(seed) });
};

describe('message 1', () => {
  it('dies at the Worker whichever byte is flipped, in classic mode', () => {
    const { message1 } = start('classic');
    for (let at = 0; at < message1.length; at++) expect(() => answer('classic', flipped(message1, at)), `byte ${at}`).toThrow();
  });

  it('dies at the Worker whichever byte is flipped, in post-quantum mode', () => {
    const { message1 } = start('post-quantum');
    const sampled = [...Array(32).keys(), ...range(32, 3168, 97), ...range(3168, 3184, 1)];
    for (const at of sampled) expect(() => answer('post-quantum', flipped(message1, at)), `byte ${at}`).toThrow();
  });

  it.each(['classic', 'post-quantum'] as const)('is of an exact length in %s mode', (mode) => {
    const { message1 } = start(mode);
    expect(message1).toHaveLength(LENGTHS[mode].message1);
    for (const wrong of [message1.slice(1), message1.slice(0, -1), concat(message1, Uint8Array.of(0)), new Uint8Array(0)]) {
      expect(() => answer(mode, wrong)).toThrow();
    }
  });

  it.each([
    ['channel', { channelId: new Uint8Array(16).fill(2) }],
    ['Worker', { workerId: 'another' }],
    ['user', { userId: 'another' }],
  ])('does not open where the Hub lied about the %s', (_what, over) => {
    const { message1 } = start('classic');
    expect(() => answer('classic', message1, agreedOf('classic', over))).toThrow();
    expect(() => answer('classic', message1)).not.toThrow();
  });

  it('does not open where the Hub lied about the mode', () => {
    const { message1 } = start('post-quantum');
    expect(() => answer('classic', message1.slice(0, 48))).toThrow();
    expect(() => new AwaitingReply('classic', agreedOf('post-quantum'), worker.public, {
      e: random(32), encapsulation: random(32), ephemeralKem: random(64),
    })).toThrow();
  });

  it('is not made for a Worker whose X25519 key gives zero', () => {
    const weak = parsePublicKey(concat(new Uint8Array(32), worker.public.bytes.slice(32)));
    expect(() => new AwaitingReply('classic', agreedOf('classic'), weak, {
      e: random(32), encapsulation: random(32), ephemeralKem: random(64),
    })).toThrow('handshake');
  });
});

describe('message 2', () => {
  it('dies at the client whichever byte is flipped, in classic mode', () => {
    const message2 = hex(VECTOR.classic.message_2);
    for (let at = 0; at < message2.length; at++) expect(() => fixedClient('classic').finish(flipped(message2, at)), `byte ${at}`).toThrow();
    expect(fixedClient('classic').finish(message2).sealer.counter).toBe(0);
  });

  it('dies at the client whichever byte is flipped, in post-quantum mode', () => {
    const message2 = hex(VECTOR['post-quantum'].message_2);
    const sampled = [...range(0, 32, 5), ...range(32, 1600, 211), ...range(1600, 51_472, 4_999), 51_471];
    for (const at of sampled) expect(() => fixedClient('post-quantum').finish(flipped(message2, at)), `byte ${at}`).toThrow();
  });

  it.each(['classic', 'post-quantum'] as const)('is of an exact length in %s mode', (mode) => {
    const message2 = hex(VECTOR[mode].message_2);
    expect(message2).toHaveLength(LENGTHS[mode].message2);
    for (const wrong of [message2.slice(0, -1), concat(message2, Uint8Array.of(0)), new Uint8Array(0)]) {
      expect(() => fixedClient(mode).finish(wrong)).toThrow('handshake');
    }
  });

  it('is read once: a second answer finds nothing left', () => {
    const client = fixedClient('classic');
    const message2 = hex(VECTOR.classic.message_2);
    client.finish(message2);
    expect(() => client.finish(message2)).toThrow('used up');
    const failed = fixedClient('classic');
    expect(() => failed.finish(flipped(message2, 0))).toThrow();
    expect(() => failed.finish(message2)).toThrow('used up');
  });

  it('with a signature of another key aborts with the agreed text', () => {
    const agreed = agreedOf('post-quantum');
    const client = start('post-quantum', agreed);
    const other = { ...worker, slh: worker.slh.slice() };
    other.slh[0]! ^= 1;
    const forged = answerHandshake(worker, agreed, client.message1, drawWorkerRandomness(random), sign(other, random(32)));
    expect(() => client.finish(forged.message2)).toThrow('noise-hybrid: SLH-DSA signature verification failed');
  });

  it('of another exchange does not fit', () => {
    const agreed = agreedOf('classic');
    const [one, other] = [start('classic', agreed), start('classic', agreed)];
    const answered = answerHandshake(worker, agreed, other.message1, drawWorkerRandomness(random));
    expect(() => one.finish(answered.message2)).toThrow();
  });
});

describe('transport', () => {
  const key = () => new Uint8Array(32).fill(5);
  const none = new Uint8Array(0);

  it('opens frames whole, once and in order, and nothing after a failure', () => {
    const sealer = new Sealer(key());
    const frames = [1, 2, 3].map((value) => sealer.seal(none, Uint8Array.of(value)));
    const ordered = new Opener(key());
    expect(frames.map((frame) => ordered.open(none, frame)[0])).toEqual([1, 2, 3]);
    expect(() => ordered.open(none, frames[2]!)).toThrow('does not decrypt');
    const skipping = new Opener(key());
    expect(() => skipping.open(none, frames[1]!)).toThrow();
    expect(skipping.counter).toBe(0);
    expect(() => skipping.open(none, frames[0]!)).toThrow();
  });

  it('asks for renewal once 2^31 - 1 is passed', () => {
    const sealer = new Sealer(key(), SOFT_LIMIT);
    expect(sealer.wantsRenewal).toBe(false);
    sealer.seal(none, none);
    expect(sealer.wantsRenewal).toBe(true);
    expect(new Opener(key(), SOFT_LIMIT + 1).wantsRenewal).toBe(true);
  });

  it('neither seals nor opens beyond 2^32 - 1', () => {
    const [sealer, opener] = [new Sealer(key(), HARD_LIMIT), new Opener(key(), HARD_LIMIT)];
    const last = sealer.seal(none, Uint8Array.of(1));
    expect(opener.open(none, last)).toEqual(Uint8Array.of(1));
    expect(() => sealer.seal(none, none)).toThrow('used up');
    expect(() => opener.open(none, last)).toThrow('used up');
  });

  it('holds 65,519 bytes and not one more', () => {
    const sealer = new Sealer(key());
    expect(() => sealer.seal(none, new Uint8Array(PLAINTEXT_MAX + 1))).toThrow('longer than a frame');
    expect(sealer.counter).toBe(0);
    expect(sealer.seal(none, new Uint8Array(PLAINTEXT_MAX))).toHaveLength(65_535);
  });

  it('seals nothing once it is wiped', () => {
    const sealer = new Sealer(key());
    sealer.wipe();
    expect(() => sealer.seal(none, none)).toThrow('used up');
  });
});

function range(from: number, to: number, step: number): number[] {
  return Array.from({ length: Math.ceil((to - from) / step) }, (_, index) => from + index * step);
}
