/** How long to wait before the next attempt: doubling, with a ceiling, ±20 % by `random` in 0..1. */
export function retryDelayMs(attempt: number, random: number): number {
  const base = Math.min(30_000, 500 * 2 ** Math.min(attempt, 10));
  return Math.round(base * (0.8 + 0.4 * random));
}
