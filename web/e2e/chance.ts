/** Random moments that can be had again: LEAPMUX_E2E_SEED is the number that a run printed. */

import { test } from '@playwright/test';

export class Chance {
  private state: number;

  constructor() {
    const seed = Number(process.env['LEAPMUX_E2E_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
    this.state = seed;
    console.log(`  seed ${seed}`);
    test.info().annotations.push({ type: 'seed', description: String(seed) });
  }

  /** An integer in [from, to): mulberry32. */
  between(from: number, to: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return from + Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * (to - from));
  }
}
