// Published vectors through the same functions that the channel uses.

import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { argon2id } from '@noble/hashes/argon2.js';
import { ml_kem1024 } from '@noble/post-quantum/ml-kem.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { open, seal } from '../../src/crypto/aead';
import { AwaitingReply } from '../../src/crypto/handshake';
import { blake2b512 } from '../../src/crypto/hash';
import { slhVerifies } from '../../src/crypto/hybrid';
import { KemSecret, checkKemKey, encapsulate } from '../../src/crypto/kem';
import { parsePublicKey } from '../../src/crypto/public-key';
import { bytesToHex, concat } from '../../src/crypto/wire';
import { diffieHellman, publicKey } from '../../src/crypto/x25519';
import { openHandshake } from '../../src/crypto/handshake';
import { readMessage1, workerIdentity, writeMessage2 } from '../support/worker-end';
import { type HandshakeVector, hex, vectors } from '../support/vectors';

const worker = workerIdentity(vectors<HandshakeVector>('handshake_classic.json').worker);
const upper = (text: string) => hex(text.toLowerCase());

interface NoiseVector {
  init_prologue?: string; init_ephemeral?: string; gen_init_ephemeral?: string;
  resp_static: string; resp_ephemeral?: string; gen_resp_ephemeral?: string;
  handshake_hash?: string; messages: { payload: string; ciphertext: string }[];
}

describe.each(['cacophony', 'flynn'])('Noise_NK of %s', (source) => {
  const { vectors: cases } = vectors<{ vectors: NoiseVector[] }>(`published/noise/${source}_nk_25519_chachapoly_blake2b.json`);

  it.each(cases)('gives the published messages', (v) => {
    const x25519Secret = hex(v.resp_static);
    const known = parsePublicKey(concat(publicKey(x25519Secret), worker.public.bytes.slice(32)));
    const agreed = { mode: 'classic' as const, bytes: hex(v.init_prologue ?? '') };
    const [first, second, ...transport] = v.messages.map(({ payload, ciphertext }) => ({ payload: hex(payload), ciphertext }));
    const random = { e: hex(v.init_ephemeral ?? v.gen_init_ephemeral!), encapsulation: new Uint8Array(0), ephemeralKem: new Uint8Array(0) };

    const awaiting = new AwaitingReply('classic', agreed, known, random, first!.payload);
    expect(bytesToHex(awaiting.message1)).toBe(first!.ciphertext);

    const state = openHandshake('classic', agreed, known);
    const share = readMessage1('classic', state, { ...worker, x25519: x25519Secret, public: known }, awaiting.message1);
    expect(share.payload).toEqual(first!.payload);
    const e2 = hex(v.resp_ephemeral ?? v.gen_resp_ephemeral!);
    const message2 = writeMessage2(state, share, { e2, encapsulation: e2, signature: e2 }, () => second!.payload);
    expect(bytesToHex(message2)).toBe(second!.ciphertext);
    const theirs = state.split('worker');

    const { established, payload } = awaiting.read(message2);
    expect(payload).toEqual(second!.payload);
    if (v.handshake_hash) expect(bytesToHex(established.root.hash)).toBe(v.handshake_hash);
    const none = new Uint8Array(0);
    transport.forEach((message, index) => {
      const [from, to] = index % 2 === 0 ? [established, theirs] : [theirs, established];
      expect(bytesToHex(from.sealer.seal(none, message.payload))).toBe(message.ciphertext);
      expect(to.opener.open(none, hex(message.ciphertext))).toEqual(message.payload);
    });
    expect(transport.length).toBeGreaterThan(0);
  });
});

describe('ML-KEM-1024 of NIST', () => {
  interface Group { function?: string; tests: Record<string, string>[]; ek?: string; dk?: string }
  const groups = (file: string) => vectors<{ testGroups: Group[] }>(`published/acvp/${file}`).testGroups;

  it('makes the published keys from their seeds', () => {
    const [group] = groups('mlkem1024_keygen.json');
    for (const test of group!.tests) {
      const secret = new KemSecret(upper(test['d']! + test['z']!));
      expect(bytesToHex(secret.publicKey)).toBe(test['ek']!.toLowerCase());
    }
    expect(group!.tests.length).toBeGreaterThanOrEqual(10);
  });

  it('encapsulates and decapsulates, with implicit rejection', () => {
    let cases = 0;
    for (const group of groups('mlkem1024_encap_decap.json')) {
      for (const test of group.tests) {
        const [ek, dk] = [test['ek'] ?? group.ek, test['dk'] ?? group.dk];
        if (group.function === 'encapsulation') {
          const made = encapsulate(upper(ek!), upper(test['m']!));
          expect([bytesToHex(made.ciphertext), bytesToHex(made.secret)]).toEqual([test['c']!.toLowerCase(), test['k']!.toLowerCase()]);
        } else if (group.function === 'decapsulation') {
          expect(bytesToHex(ml_kem1024.decapsulate(upper(test['c']!), upper(dk!)))).toBe(test['k']!.toLowerCase());
        } else if (group.function === 'encapsulationKeyCheck') {
          const check = () => checkKemKey(upper(ek!));
          if (test['testPassed'] as unknown === true) check();
          else expect(check).toThrow();
        } else continue;
        cases += 1;
      }
    }
    expect(cases).toBeGreaterThanOrEqual(20);
  });

  it('refuses every key with a coefficient of q or more', () => {
    const { ek } = vectors<{ ek: string[] }>('published/cctv/mlkem1024_modulus_few.json');
    for (const key of ek) {
      expect(() => checkKemKey(hex(key))).toThrow('a key is malformed');
      expect(() => parsePublicKey(concat(new Uint8Array(32).fill(9), hex(key), new Uint8Array(64)))).toThrow('a key is malformed');
    }
    expect(ek.length).toBeGreaterThan(0);
  });

  it('compares the whole ciphertext', () => {
    const { vector } = vectors<{ vector: { dk: string; c: string; K: string } }>('published/cctv/mlkem1024_strcmp.json');
    expect(bytesToHex(ml_kem1024.decapsulate(hex(vector.c), hex(vector.dk)))).toBe(vector.K);
  });
});

describe('SLH-DSA-SHAKE-256f of NIST', () => {
  const { testGroups } = vectors<{ testGroups: { tests: { tcId: number; pk: string; message: string; context: string; signature: string; testPassed: boolean }[] }[] }>(
    'published/acvp/slhdsa_shake256f_sigver.json');
  const tests = testGroups.flatMap((group) => group.tests);

  it.each(tests)('judges signature $tcId as published', (test) => {
    const verdict = slhVerifies(upper(test.pk), upper(test.context), upper(test.message), upper(test.signature));
    expect(verdict).toBe(test.testPassed);
  });
});

describe('X25519', () => {
  it('gives the results of RFC 7748', () => {
    const { vectors: cases } = vectors<{ vectors: { input_scalar: string; input_u: string; output_u: string }[] }>('published/rfc/rfc7748_x25519.json');
    for (const v of cases) expect(bytesToHex(diffieHellman(hex(v.input_scalar), hex(v.input_u)))).toBe(v.output_u);
    expect(cases.length).toBeGreaterThan(0);
  });

  it('agrees with Wycheproof and refuses what gives zero', () => {
    interface Case { public: string; private: string; shared: string; flags: string[]; result: string }
    const { testGroups } = vectors<{ testGroups: { tests: Case[] }[] }>('published/wycheproof/x25519_test.json');
    const cases = testGroups.flatMap((group) => group.tests);
    let refused = 0;
    for (const v of cases) {
      if (/^0+$/.test(v.shared)) {
        expect(() => diffieHellman(hex(v.private), hex(v.public))).toThrow();
        refused += 1;
      } else expect(bytesToHex(diffieHellman(hex(v.private), hex(v.public)))).toBe(v.shared);
    }
    expect([cases.length > 100, refused > 0]).toEqual([true, true]);
    expect(x25519.getPublicKey(new Uint8Array(32).fill(1))).toHaveLength(32);
  });
});

describe('ChaCha20-Poly1305', () => {
  interface Case { key: string; iv: string; aad: string; msg: string; ct: string; tag: string; result: string }
  const { testGroups } = vectors<{ testGroups: { tests: Case[] }[] }>('published/wycheproof/chacha20_poly1305_test.json');

  it('agrees with Wycheproof', () => {
    const cases = testGroups.flatMap((group) => group.tests).filter((v) => v.iv.length === 24);
    for (const v of cases) {
      const cipher = () => chacha20poly1305(hex(v.key), hex(v.iv), hex(v.aad));
      if (v.result === 'valid') {
        expect(bytesToHex(cipher().decrypt(hex(v.ct + v.tag)))).toBe(v.msg);
        expect(bytesToHex(cipher().encrypt(hex(v.msg)))).toBe(v.ct + v.tag);
      } else expect(() => cipher().decrypt(hex(v.ct + v.tag))).toThrow();
    }
    expect(cases.length).toBeGreaterThan(100);
  });

  it('takes the counter as the last eight bytes of the nonce, little-endian', () => {
    const key = new Uint8Array(32).fill(3);
    const [aad, text] = [Uint8Array.of(1), Uint8Array.of(2, 3)];
    for (const [counter, nonce] of [[0, '000000000000000000000000'], [0x01020304, '000000000403020100000000'], [2 ** 32, '000000000000000001000000']] as const) {
      const expected = chacha20poly1305(key, hex(nonce), aad).encrypt(text);
      expect(seal(key, counter, aad, text)).toEqual(expected);
      expect(open(key, counter, aad, expected)).toEqual(text);
      expect(open(key, counter + 1, aad, expected)).toBeUndefined();
    }
  });
});

describe('hashes', () => {
  it('gives the published BLAKE2b-512', () => {
    const { vectors: cases } = vectors<{ vectors: { hash: string; in: string; key: string; out: string }[] }>('published/rfc/blake2b_kat.json');
    const unkeyed = cases.filter((v) => v.hash === 'blake2b' && v.key === '');
    for (const v of unkeyed) expect(bytesToHex(blake2b512(hex(v.in)))).toBe(v.out);
    expect(unkeyed.length).toBeGreaterThan(10);
  });

  it('gives the Argon2id of RFC 9106', () => {
    interface Case { length: string; lanes: string; iter: string; memcost: string; secret: string; pass: string; salt: string; ad: string; output: string }
    const { vectors: cases } = vectors<{ vectors: Case[] }>('published/rfc/rfc9106_argon2id.json');
    for (const v of cases.slice(0, 20)) {
      const out = argon2id(hex(v.pass), hex(v.salt), {
        t: Number(v.iter), m: Number(v.memcost), p: Number(v.lanes), dkLen: Number(v.length),
        key: hex(v.secret ?? ''), personalization: hex(v.ad ?? ''), version: 0x13,
      });
      expect(bytesToHex(out)).toBe(v.output);
    }
    expect(cases.length).toBeGreaterThan(0);
  });
});
