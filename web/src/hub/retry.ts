/** How long to wait before the next attempt: doubling, with a ceiling, ±20 % by `random` in 0..1. */
export function retryDelayMs(attempt: number, random: number): number {
  const base = Math.min(30_000, 500 * 2 ** Math.min(attempt, 10));
  return Math.round(base * (0.8 + 0.4 * random));
}

/** What stood for so long had worked: its end is a new trouble. */
const STEADY_MS = 30_000;

/** Delays that grow from one failure to the next, and begin anew after something stood for a while. */
export class Growing {
  private attempt = 0;
  private dueAt = -Infinity;

  /** Milliseconds from `now` until the next attempt. */
  next(now: number, random: number): number {
    if (now - this.dueAt >= STEADY_MS) this.attempt = 0;
    const wait = retryDelayMs(++this.attempt, random);
    this.dueAt = now + wait;
    return wait;
  }
}
