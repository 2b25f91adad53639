// What goes out next, before it is sealed: the claim, then what needs no room in the window, then the
// kept frames of an epoch that is over, then what the page says.

import type { Bytes } from '../crypto/wire';
import type { Limits } from './limits';
import { type Mux, encodeInner } from './mux';
import { Pulse } from './pulse';
import { type Plain, type Receipts, Window } from './window';

export class Departures {
  readonly window: Window;
  readonly pulse = new Pulse();
  /** Frame 0 of this epoch, until it has gone out. */
  claim: Bytes | undefined;

  constructor(limits: Limits) {
    this.window = new Window(limits);
  }

  /** Without `receipts` no small talk goes out; unless it `mayGoOn`, nothing of the page. */
  next(mux: Mux, receipts: Receipts | undefined, mayGoOn: boolean, now: number): Plain | undefined {
    const uncounted = this.#takeClaim() ?? (receipts && this.#smallTalk(receipts, now));
    if (uncounted) return { correlation: mux.outbox.nextCorrelation(), flags: 0, plaintext: uncounted };
    if (!mayGoOn) return undefined;
    const again = this.window.again();
    if (again || !this.window.hasRoom) return again;
    const fresh = mux.outbox.next();
    if (fresh) this.window.keep(fresh);
    return fresh;
  }

  #takeClaim(): Bytes | undefined {
    const { claim } = this;
    this.claim = undefined;
    return claim;
  }

  #smallTalk(receipts: Receipts, now: number): Bytes | undefined {
    const received = receipts.takeDue(now);
    if (received !== undefined) return encodeInner({ case: 'ack', value: { $typeName: 'leapmux.v1.Ack', received } });
    const beat = this.pulse.next(now);
    return beat && encodeInner(beat);
  }

  clear(): void {
    this.claim = undefined;
    this.window.clear();
  }
}
