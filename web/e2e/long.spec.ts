import { Apart } from './apart';
import { Chance } from './chance';
import { heard, listenIn } from './ear';
import { expect, run, screen, test } from './rig';

/** LEAPMUX_E2E_LONG=1: 50 MB, which takes minutes. Otherwise as much as fits into a few seconds. */
const LONG = process.env['LEAPMUX_E2E_LONG'] === '1';
const LINE_BYTES = 72;
const LINES_AT_ONCE = 200;
const LINES = LONG ? 730_000 : 50_000;
/** Seconds. Where kills follow each other closely the back-off grows, and with it what waits. */
const PAUSE = LONG ? 0.1 : 0.2;
const KILLS = 5;
/** Milliseconds to the next kill. */
const [SOONEST, LATEST] = LONG ? [30_000, 60_000] : [500, 2_500];

test(`${Math.round(LINES * LINE_BYTES / 1e6)} MB pass through a terminal while the Hub is killed five times: every line once and in order`, async ({ page }) => {
  test.setTimeout(LONG ? 30 * 60_000 : 180_000);
  const chance = new Chance();
  await listenIn(page);
  const apart = await Apart.start();
  try {
    await apart.open(page);
    // Slow enough for a screen: a terminal that outgrew its stream's credit would be drawn anew instead.
    const each = `seq -f "n%.0f ${'x'.repeat(LINE_BYTES - 10)}" $i $((i+${LINES_AT_ONCE - 1}))`;
    await run(page, `echo; i=1; while [ $i -le ${LINES} ]; do ${each}; i=$((i+${LINES_AT_ONCE})); sleep ${PAUSE}; done; echo the-end-$((6*7))`);
    for (let kill = 0; kill < KILLS; kill += 1) {
      await page.waitForTimeout(chance.between(SOONEST, LATEST));
      await apart.killHub();
      await page.waitForTimeout(chance.between(0, 300));
      const before = (await heard(page)).next;
      await apart.startHub();
      const startedAt = Date.now();
      await expect.poll(async () => (await heard(page)).next, { timeout: 60_000, intervals: [50] }).toBeGreaterThan(before);
      console.log(`  after ${before} lines: goes on ${Date.now() - startedAt} ms after the Hub was ready`);
    }
    await expect(screen(page)).toContainText('the-end-42', { timeout: LONG ? 25 * 60_000 : 120_000 });
    const all = await heard(page);
    expect(all).toMatchObject({ faults: [], next: LINES + 1, attached: 1, snapshots: 1, ends: [] });
    console.log(`  ${all.bytes} bytes`);
    expect(apart.wire.count('open')).toBe(1);
    expect(apart.wire.count('renewed')).toBeGreaterThanOrEqual(KILLS);
  } finally {
    await apart.remove();
  }
});
