// Renewal under random cuts, lost suffixes and late deliveries.

import { beforeEach, describe, expect, it, vi } from 'vitest';
import { bytesToHex } from '../../src/crypto/wire';
import { Simulation } from '../support/simulation';

const seals = vi.hoisted(() => ({ seen: new Set<string>(), repeated: 0 }));

/** Notes under which key and counter anything is sealed, at either end. */
vi.mock('../../src/crypto/aead', async (original) => {
  const aead = await original<typeof import('../../src/crypto/aead')>();
  return {
    ...aead,
    seal: (...[key, counter, associated, plaintext]: Parameters<typeof aead.seal>) => {
      const use = `${bytesToHex(key)} ${counter}`;
      if (seals.seen.has(use)) seals.repeated += 1;
      seals.seen.add(use);
      return aead.seal(key, counter, associated, plaintext);
    },
  };
});

const SEEDS = Number(process.env.RENEWAL_SEEDS ?? 300);
const FIRST = Number(process.env.RENEWAL_FIRST ?? 1);
const STEPS = 320;
const numbers = (length: number) => Array.from({ length }, (_, n) => n);

beforeEach(() => {
  seals.seen.clear();
  seals.repeated = 0;
});

describe('a channel that is cut and renewed at random', () => {
  it(`delivers every message once and in order over ${SEEDS} seeds, and never seals twice under one key and counter`, () => {
    const sum = { cuts: 0, late: 0, lost: 0, renewals: 0, frames: 0, closes: 0, answers: 0 };
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const simulation = new Simulation({ seed, steps: STEPS }).run();
      const { broken, atWorker, atClient, sentUp, sentDown, tally } = simulation;
      expect({ seed, broken }).toEqual({ seed, broken: undefined });
      expect({ seed, atWorker }).toEqual({ seed, atWorker: numbers(sentUp) });
      expect({ seed, atClient }).toEqual({ seed, atClient: numbers(sentDown) });
      for (const key of ['cuts', 'late', 'lost', 'renewals'] as const) sum[key] += tally[key];
      sum.frames += simulation.session.dropped.frames + simulation.worker.dropped;
      sum.closes += simulation.session.dropped.closes;
      sum.answers += simulation.session.dropped.renewals;
      expect({ seed, repeated: seals.repeated }).toEqual({ seed, repeated: 0 });
    }
    console.info('simulated', sum, 'sealed', seals.seen.size);
    // It must have happened, or it proves nothing.
    expect(sum.cuts).toBeGreaterThan(4 * SEEDS);
    expect(sum.late).toBeGreaterThan(2 * SEEDS);
    expect(sum.renewals).toBeGreaterThan(4 * SEEDS);
    expect(Math.min(sum.frames, sum.closes, sum.answers)).toBeGreaterThan(0);
  }, 400 * SEEDS + 60_000);

  it('breaks when the epoch is taken out of the header', () => {
    const broken = numbers(20).filter((seed) => {
      const simulation = new Simulation({ seed: FIRST + seed, steps: STEPS, hasEpochInHeader: false }).run();
      return simulation.broken !== undefined || !simulation.isComplete;
    });
    expect(broken.length).toBeGreaterThan(10);
  }, 60_000);
});
