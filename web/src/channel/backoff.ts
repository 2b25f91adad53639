// When to try again: 0.5 s to 30 s, doubled at each failure, drawn from the whole span so that clients
// that were cut off together do not return together. The first retry is jittered too.

const FIRST_MS = 500;
const MOST_MS = 30_000;
/** A longer hint would be a way to keep a browser away, and beyond 2^31 ms a timer fires at once. */
const HINT_MOST_MS = 60_000;
/** Only what stood for so long counts as working: a way that opens and ends at once must not defeat the back-off. */
export const STEADY_MS = 30_000;

export class Backoff {
  #failures = 0;

  constructor(private readonly first = FIRST_MS, private readonly most = MOST_MS) {}

  /** Milliseconds to wait. `draw` is uniform in [0, 1). The server's hint wins, up to a minute. */
  next(draw: number, hint = 0): number {
    const span = Math.min(this.most, this.first * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 16);
    return hint > 0 ? Math.min(hint, HINT_MOST_MS) : this.first / 2 + draw * (span - this.first / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}
